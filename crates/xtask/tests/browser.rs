//! The site of `rdump --html` as a browser shows it: Chromium, driven through chromedriver, opens the index, searches in it,
//! follows a host's link, and looks at the page on a desk and on a phone. Nothing may be refused or complained of.
//!
//! Screenshots stay in `browser/` of cargo's directory for tests, to be looked at.

mod support;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use flow_testkit::conditions::{Needed, program, trial};
use libtest_mimic::{Arguments, Failed};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use support::output;
use xtask::programs::{Programs, root};

/// A desk, and a phone: CSS pixels.
const WIDTHS: [u64; 2] = [1_400, 360];
/// The smallest text that can be read, in CSS pixels.
const LEGIBLE: f64 = 9.0;
/// More octets than a screenshot has.
const MAX_ANSWER: u64 = 64 << 20;
/// Where the shipped capture's own hosts are; names of networks are foreign text.
const NETWORKS: &str = "10.0.0.0/8 <b>home</b> & co\n192.168.0.0/16 \"lab\"\n";

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::from_args();
    let programs = Arc::new(Programs::for_tests()?);
    let mut trials = Vec::new();
    for served in [false, true] {
        let programs = Arc::clone(&programs);
        let name = if served { "from a web server" } else { "from its files" };
        trials.push(trial(name, needed(), move |tools| look(&tools, &programs, served)));
    }
    libtest_mimic::run(&arguments, trials).exit();
}

/// The browser's driver, and a web server.
struct Tools {
    driver: PathBuf,
    python: PathBuf,
}

fn needed() -> Needed<Tools> {
    program("chromium")?;
    Ok(Tools { driver: program("chromedriver")?, python: program("python3")? })
}

fn look(tools: &Tools, programs: &Programs, served: bool) -> Result<(), Failed> {
    let scratch = tempfile::tempdir()?;
    let site = site(programs, scratch.path())?;
    let server = if served { Some(WebServer::start(&tools.python, &site)?) } else { None };
    let url = server.as_ref().map_or_else(|| format!("file://{}", site.display()), WebServer::url);
    let browser = Browser::start(&tools.driver)?;
    let place = if served { "server" } else { "files" };
    for width in WIDTHS {
        browser.width(width)?;
        browser.open(&format!("{url}/index.html"))?;
        index(&browser, width)?;
        browser.screenshot(&format!("index-{place}-{width}"))?;
        browser.click("tr:not([hidden]) td a")?;
        host(&browser, width)?;
        browser.screenshot(&format!("host-{place}-{width}"))?;
    }
    match browser.complaints()?.as_slice() {
        [] => Ok(()),
        complaints => Err(format!("the browser complains: {complaints:#?}").into()),
    }
}

/// What the shipped hour of traffic tells of some hosts.
fn site(programs: &Programs, scratch: &Path) -> Result<PathBuf, Failed> {
    let (flows, networks, site) = (scratch.join("flows"), scratch.join("networks"), scratch.join("site"));
    fs::create_dir(&flows)?;
    fs::write(&networks, NETWORKS)?;
    let capture = root().join("testdata/pcap/hour-mixed/case.pcap");
    output(programs.command("rcapd").arg("-f").arg(capture).arg("-w").arg(&flows))?;
    let mut rdump = programs.command("rdump");
    output(rdump.arg("-R").arg(&flows).arg("--networks").arg(&networks).arg("--html").arg(&site))?;
    Ok(site)
}

/// The search leaves the rows that it names, and brings all back.
fn index(browser: &Browser, width: u64) -> Result<(), Failed> {
    fits(browser, width)?;
    let shown =
        "return document.querySelectorAll('section:not([hidden]) tr[data-find]:not([hidden])').length";
    let all = number(&browser.run(shown)?)?;
    if all < 2.0 {
        return Err(format!("the index has {all} hosts").into());
    }
    let heading = browser.run("return document.querySelector('h2').textContent")?;
    if heading != "<b>home</b> & co" {
        return Err(format!("the first network is called {heading}").into());
    }
    let first = browser.run("return document.querySelector('tbody a').textContent")?;
    let first = first.as_str().ok_or("a host without a name")?;
    browser.type_into("#search", first)?;
    let found = browser.run(
        "return [...document.querySelectorAll('section:not([hidden]) tr[data-find]:not([hidden]) a')].map(a => a.textContent)",
    )?;
    let found: Vec<&str> = found.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if !found.contains(&first) || found.len() as f64 >= all || !found.iter().all(|addr| addr.contains(first))
    {
        return Err(format!("of {all} hosts, the search for {first} finds {found:?}").into());
    }
    browser.type_into("#search", "no such host")?;
    let left = number(&browser.run(shown)?)?;
    if left > 0.0 {
        return Err(format!("{left} hosts are called `no such host`").into());
    }
    browser.type_into("#search", "")?;
    let back = number(&browser.run(shown)?)?;
    if back < all { Err(format!("{back} of {all} hosts come back").into()) } else { Ok(()) }
}

/// Four graphs with words that can be read, and both tables.
fn host(browser: &Browser, width: u64) -> Result<(), Failed> {
    fits(browser, width)?;
    let titles =
        browser.run("return [...document.querySelectorAll('figcaption,h2')].map(e => e.textContent)")?;
    if titles != json!(["Day", "Week", "Month", "Year", "Peers", "Services"]) {
        return Err(format!("the page has {titles}").into());
    }
    let smallest = number(&browser.run(
        "return Math.min(...[...document.querySelectorAll('figure svg')].map(svg => parseFloat(getComputedStyle(\
         svg.querySelector('text')).fontSize) * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width))",
    )?)?;
    if smallest < LEGIBLE {
        return Err(format!("words of {smallest} pixels in a graph, {width} wide").into());
    }
    let overlaps = browser.run(
        "return [...document.querySelectorAll('figure svg')].flatMap(svg => { \
         const boxes = [...svg.querySelectorAll('text:not(.rate)')].map(text => text.getBoundingClientRect()); \
         return boxes.filter((box, place) => place > 0 && boxes[place - 1].right > box.left).map(() => svg.ariaLabel) })",
    )?;
    if overlaps != json!([]) {
        return Err(format!("words run into each other, {width} wide: {overlaps}").into());
    }
    let painted = browser.run(
        "const fill = getComputedStyle(document.querySelector('path.in')).fill; return fill !== 'none' && fill !== 'rgb(0, 0, 0)'",
    )?;
    if painted == json!(true) { Ok(()) } else { Err("the page has no style".into()) }
}

/// Nobody has to scroll sideways.
fn fits(browser: &Browser, width: u64) -> Result<(), Failed> {
    let needs = number(&browser.run("return document.documentElement.scrollWidth")?)?;
    if needs > width as f64 {
        Err(format!("the page needs {needs} pixels of {width}").into())
    } else {
        Ok(())
    }
}

fn number(value: &Value) -> Result<f64, Failed> {
    value.as_f64().ok_or_else(|| format!("{value} is no number").into())
}

/// A session of chromedriver's, by the protocol of W3C WebDriver.
struct Browser {
    session: String,
    /// Ends when the session has: that is what answers.
    _driver: Process,
}

impl Browser {
    fn start(driver: &Path) -> Result<Self, Failed> {
        let (driver, port) = Process::start(Command::new(driver).arg("--port=0"), |line| {
            line.split_once("started successfully on port ")?.1.trim_end_matches('.').parse().ok()
        })?;
        let at = format!("http://127.0.0.1:{port}/session");
        let options =
            json!({ "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"] });
        let wanted = json!({ "browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": { "browser": "ALL" } });
        let made = post(&at, &json!({ "capabilities": { "alwaysMatch": wanted } }))?;
        let id = made["sessionId"].as_str().ok_or("a session without a number")?;
        Ok(Self { session: format!("{at}/{id}"), _driver: driver })
    }

    fn call(&self, command: &str, body: &Value) -> Result<Value, Failed> {
        post(&format!("{}/{command}", self.session), body)
    }

    fn open(&self, url: &str) -> Result<(), Failed> {
        self.call("url", &json!({ "url": url })).map(drop)
    }

    fn run(&self, script: &str) -> Result<Value, Failed> {
        self.call("execute/sync", &json!({ "script": script, "args": [] }))
    }

    fn element(&self, selector: &str) -> Result<String, Failed> {
        let found = self.call("element", &json!({ "using": "css selector", "value": selector }))?;
        let element = found.as_object().and_then(|found| found.values().next()).and_then(Value::as_str);
        Ok(format!("element/{}", element.ok_or("an element without a name")?))
    }

    /// Waits for the page that it leads to.
    fn click(&self, selector: &str) -> Result<(), Failed> {
        self.call(&format!("{}/click", self.element(selector)?), &json!({})).map(drop)
    }

    /// Puts a text in place of what a field has.
    fn type_into(&self, selector: &str, text: &str) -> Result<(), Failed> {
        let element = self.element(selector)?;
        // Backspace for each letter, as a person would: clearing tells a page of a change, not of input.
        let before = self.run(&format!("return document.querySelector('{selector}').value.length"))?;
        let erased = "\u{E003}".repeat(number(&before)? as usize);
        self.call(&format!("{element}/value"), &json!({ "text": format!("{erased}{text}") })).map(drop)
    }

    /// The size that pages see, which a window's own lower bound does not limit.
    fn width(&self, width: u64) -> Result<(), Failed> {
        let params = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600 });
        let command = json!({ "cmd": "Emulation.setDeviceMetricsOverride", "params": params });
        self.call("goog/cdp/execute", &command).map(drop)
    }

    fn screenshot(&self, name: &str) -> Result<(), Failed> {
        let command = json!({ "cmd": "Page.captureScreenshot", "params": { "captureBeyondViewport": true } });
        let image = self.call("goog/cdp/execute", &command)?;
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("browser");
        fs::create_dir_all(&directory)?;
        let image = image["data"].as_str().and_then(|text| BASE64.decode(text).ok()).ok_or("no picture")?;
        Ok(fs::write(directory.join(name).with_extension("png"), image)?)
    }

    /// What stands in the console.
    fn complaints(&self) -> Result<Vec<Value>, Failed> {
        let log = self.call("se/log", &json!({ "type": "browser" }))?;
        log.as_array().cloned().ok_or_else(|| "no log".into())
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Ends the browser; the driver is ended after it.
        let _ = ureq::delete(&self.session).call();
    }
}

fn post(url: &str, body: &Value) -> Result<Value, Failed> {
    let request = ureq::post(url).config().http_status_as_error(false).build();
    let mut answer = request.content_type("application/json").send(body.to_string())?;
    let answer = answer.body_mut().with_config().limit(MAX_ANSWER).read_to_string()?;
    let mut answer: Value = serde_json::from_str(&answer)?;
    let value = answer["value"].take();
    match value["error"].as_str() {
        Some(error) => Err(format!("{url}: {error}: {}", value["message"]).into()),
        None => Ok(value),
    }
}

struct WebServer {
    port: u16,
    _python: Process,
}

impl WebServer {
    fn start(python: &Path, directory: &Path) -> Result<Self, Failed> {
        let mut command = Command::new(python);
        command.args(["-u", "-m", "http.server", "--bind", "127.0.0.1", "0", "--directory"]).arg(directory);
        let (python, port) = Process::start(&mut command, |line| {
            line.split_once(" port ")?.1.split_once(' ')?.0.parse().ok()
        })?;
        Ok(Self { port, _python: python })
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

/// A program that serves until it is dropped.
struct Process(Child);

impl Process {
    /// Starts it, and waits for the line in which it says its port.
    fn start(command: &mut Command, port: impl Fn(&str) -> Option<u16>) -> Result<(Self, u16), Failed> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let said = child.stdout.take().ok_or("no output")?;
        let process = Self(child);
        for line in BufReader::new(said).lines() {
            if let Some(port) = port(&line?) {
                return Ok((process, port));
            }
        }
        Err(format!("{command:?} ends without a port").into())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Ok(pid) = self.0.id().try_into() {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        let _ = self.0.wait();
    }
}

//! What stands in a page for readers, as far as it can be run.
//!
//! The first word behind a fence says what a block is:
//! * `sh`: commands. They are run as root, in the order of the page, and each must succeed.
//! * `crontab`: lines of a file in `/etc/cron.d`. The command of each is run once, as its user.
//! * one of [`SHOWN`]: an example in another language, or the configuration of a device, not run here.
//!
//! Comments, which readers do not see, stand between blocks:
//! * `<!-- stage: COMMANDS -->` does what in a reader's world others do: an exporter sends, another host answers.
//! * `<!-- prints: TEXT -->` says that TEXT is in what the block above it prints.
//! * `<!-- not run: REASON -->` stands above a block of commands that a test cannot run.

use std::fs;
use std::path::{Path, PathBuf};

/// Blocks that are not commands of ours: other tests see to the first two, and to the whole of `rust`.
pub(crate) const SHOWN: [&str; 12] = [
    "filter", "lists", "rust", "text", "toml", "ini", "perl", "routeros", "cisco", "junos", "fortios",
    "systemd",
];

/// Words that begin a command. Where one stands in a block without a fence nobody would run it.
const COMMANDS: [&str; 20] = [
    "rcapd",
    "rdump",
    "rexpire",
    "nfdump",
    "nfcapd",
    "sfcapd",
    "nfexpire",
    "cargo",
    "systemctl",
    "apt",
    "apt-get",
    "dpkg",
    "git",
    "mkdir",
    "ssh",
    "ssh-keygen",
    "useradd",
    "softflowd",
    "fprobe",
    "pmacctd",
];

/// A page.
pub(crate) struct Page {
    /// Its place in the tree.
    pub(crate) name: String,
    pub(crate) parts: Vec<Part>,
}

/// A piece of a page, and the line it stands in.
pub(crate) struct Part {
    pub(crate) line: usize,
    pub(crate) kind: Kind,
    pub(crate) text: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Commands to be run.
    Commands,
    /// Lines of a crontab to be run.
    Crontab,
    /// Commands that the page's comment asks for.
    Stage,
    /// What the block before has printed.
    Prints,
    /// Commands that are not run, and why.
    NotRun(String),
    /// Something else.
    Shown,
}

impl Page {
    /// Reads a page.
    pub(crate) fn read(root: &Path, path: &Path) -> Result<Page, String> {
        let name = path.strip_prefix(root).unwrap_or(path).display().to_string();
        let text = fs::read_to_string(path).map_err(|error| format!("{name}: {error}"))?;
        Page::parse(&name, &text)
    }

    fn parse(name: &str, text: &str) -> Result<Page, String> {
        let mut parts = Vec::new();
        let mut not_run = None;
        let mut lines = (1..).zip(text.lines());
        let mut blank = true;
        while let Some((line, content)) = lines.next() {
            let failed = |what: &str| format!("{name}:{line}: {what}");
            let mut part = |kind, text| parts.push(Part { line, kind, text });
            if let Some(word) = content.trim_start().strip_prefix("```") {
                let mut text = String::new();
                loop {
                    let (_, content) = lines.next().ok_or_else(|| failed("a block without an end"))?;
                    if content.trim() == "```" {
                        break;
                    }
                    text += content;
                    text.push('\n');
                }
                match (word.trim(), not_run.take()) {
                    ("sh", Some(reason)) => part(Kind::NotRun(reason), text),
                    (_, Some(_)) => return Err(failed("`not run` belongs above commands")),
                    ("sh", None) => part(Kind::Commands, text),
                    ("crontab", None) => part(Kind::Crontab, text),
                    (word, None) if SHOWN.contains(&word) => part(Kind::Shown, text),
                    (word, None) => return Err(failed(&format!("nobody knows what a block `{word}` is"))),
                }
            } else if let Some(comment) = content.trim_start().strip_prefix("<!-- ") {
                let mut comment = comment.to_owned();
                while !comment.trim_end().ends_with("-->") {
                    let (_, content) = lines.next().ok_or_else(|| failed("a comment without an end"))?;
                    comment.push('\n');
                    comment += content;
                }
                let comment = comment.trim_end().trim_end_matches("-->").trim();
                match comment.split_once(':').map(|(word, text)| (word, text.trim())) {
                    Some(("stage", commands)) => part(Kind::Stage, commands.to_owned() + "\n"),
                    Some(("prints", text)) => part(Kind::Prints, text.to_owned()),
                    Some(("not run", reason)) => not_run = Some(reason.to_owned()),
                    _ => {}
                }
            } else if blank && content.starts_with("    ") {
                // What stands further to the right belongs to a picture.
                let word = content[4..].split(' ').next().unwrap_or_default();
                if COMMANDS.contains(&word.rsplit('/').next().unwrap_or(word)) && !content.contains("->") {
                    return Err(failed("commands belong in a block fenced as `sh`"));
                }
            }
            blank = content.trim().is_empty() || (blank && content.starts_with("    "));
        }
        Ok(Page { name: name.to_owned(), parts })
    }

    /// Whether anything here is to be run.
    pub(crate) fn runs(&self) -> bool {
        self.parts.iter().any(|part| matches!(part.kind, Kind::Commands | Kind::Crontab))
    }

    /// A script that runs the page and ends at what fails.
    pub(crate) fn script(&self) -> String {
        const TO: &str = ">>$printed 2>&1 </dev/null";
        let mut script = vec!["source /given/stage.sh".to_owned()];
        for Part { line, kind, text } in &self.parts {
            let begin = format!("begin {}", quoted(&format!("{}:{line}", self.name)));
            match kind {
                Kind::Commands | Kind::Stage => script.extend([begin, format!("{{\n{text}}} {TO}")]),
                Kind::Crontab => {
                    let entries =
                        text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
                    script.push(begin);
                    script.extend(entries.map(|entry| format!("cron_entry {} {TO}", quoted(entry))));
                }
                Kind::Prints => script.push(format!("prints {}", quoted(text))),
                Kind::NotRun(_) | Kind::Shown => {}
            }
        }
        script.push("end\n".to_owned());
        script.join("\n")
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// README.md and everything below `docs/`, in order.
pub(crate) fn pages(root: &Path) -> Result<Vec<Page>, String> {
    let mut paths = vec![root.join("README.md")];
    let mut left = vec![root.join("docs")];
    while let Some(directory) = left.pop() {
        let failed = |error| format!("{}: {error}", directory.display());
        for entry in fs::read_dir(&directory).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.is_dir() {
                left.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                paths.push(path);
            }
        }
    }
    paths.sort();
    paths.iter().map(|path| Page::read(root, path)).collect()
}

/// Links of a page to places in the tree that are not there.
pub(crate) fn broken_links(root: &Path, page: &Page) -> Result<Vec<String>, String> {
    let path = root.join(&page.name);
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", page.name))?;
    let directory = path.parent().map(PathBuf::from).unwrap_or_default();
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
    let inside = targets.filter(|target| !target.is_empty() && !target.contains("://"));
    Ok(inside.filter(|target| !directory.join(target).exists()).map(str::to_owned).collect())
}

/// What a page must be, by examples.
pub(crate) fn check_parser() -> Result<(), String> {
    let parse = |text: &str| Page::parse("page", text);
    let page = parse(
        "x\n\n```sh\na\n```\n<!-- prints: b -->\n<!-- not run: c -->\n```sh\nd\n```\n```text\ne\n```\n",
    )?;
    let kinds: Vec<Kind> = page.parts.iter().map(|part| part.kind.clone()).collect();
    if kinds != [Kind::Commands, Kind::Prints, Kind::NotRun("c".to_owned()), Kind::Shown] {
        return Err(format!("{kinds:?}"));
    }
    for (text, wrong) in [
        ("```\nrdump\n```\n", "a fence without a word"),
        ("```bash\nrdump\n```\n", "a fence of an unknown kind"),
        ("```sh\nrdump\n", "a block without an end"),
        ("x:\n\n    rdump -I\n", "a command without a fence"),
        ("<!-- not run: why -->\n```text\nx\n```\n", "a mark above what is no command"),
    ] {
        if parse(text).is_ok() {
            return Err(format!("accepted: {wrong}"));
        }
    }
    Ok(())
}

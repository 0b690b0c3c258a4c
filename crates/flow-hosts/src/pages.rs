//! The pages of a static site: an index of own hosts by network, and a page for each host.
//!
//! Pages load nothing but the two files beside the index, and say so: a policy forbids everything else.

use crate::graph::{self, Graph, scaled};
use crate::rollup::{Bytes, Host, Level, Rollup};
use crate::top::Service;
use flow_model::{OwnNetworks, protocol_name};
use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter, Write as _};
use std::net::IpAddr;

/// Files that all pages use, with their names.
pub const ASSETS: [(&str, &str); 2] = [("site.css", STYLE), ("search.js", SEARCH)];

/// The directory of the hosts' pages.
pub const HOSTS: &str = "host";

/// A time on the clock on the wall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WallTime {
    /// Month, from 1.
    pub month: u32,
    /// Day of the month.
    pub day: u32,
    /// Days since Monday.
    pub weekday: u32,
    /// Hour.
    pub hour: u32,
    /// Minute.
    pub minute: u32,
}

/// What pages are made from.
#[derive(Clone, Copy)]
pub struct Pages<'a> {
    /// What hosts received and sent.
    pub rollup: &'a Rollup,
    /// What their networks are called.
    pub networks: &'a dyn OwnNetworks,
    /// The time on the wall at a second since 1970.
    pub wall: &'a (dyn Fn(u64) -> WallTime + Sync),
}

impl fmt::Debug for Pages<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages").field("newest_s", &self.rollup.newest_s()).finish_non_exhaustive()
    }
}

impl Pages<'_> {
    /// The index.
    pub fn index(&self) -> String {
        let mut networks: BTreeMap<&str, Vec<(IpAddr, &Host)>> = BTreeMap::new();
        for (addr, host) in self.rollup.hosts() {
            networks.entry(self.network(addr)).or_default().push((addr, host));
        }
        let mut page = head("Hosts", "");
        let _ = write!(
            page,
            "<h1>Hosts</h1><p>{} hosts, flows up to {}</p><p><label>Search <input type=\"search\" id=\"search\" \
             placeholder=\"address or network\"></label></p>",
            self.rollup.hosts().len(),
            self.time(self.rollup.newest_s())
        );
        for (name, hosts) in networks {
            let name = Escaped(name);
            let sum = hosts.iter().fold([0, 0], |mut sum, (_, host)| {
                crate::top::add(&mut sum, self.today(host));
                sum
            });
            let [bytes_in, bytes_out] = sum.map(Amount);
            let _ = write!(
                page,
                "<section><h2>{name}</h2><p>{} hosts, today {bytes_in} in, {bytes_out} out</p><table><thead><tr><th>Host</th>\
                 <th class=\"n\">In today</th><th class=\"n\">Out today</th><th>Last 24 hours</th></tr></thead><tbody>",
                hosts.len()
            );
            for (addr, host) in hosts {
                let [bytes_in, bytes_out] = self.today(host).map(Amount);
                let file = file_name(addr);
                let _ = write!(
                    page,
                    "<tr data-find=\"{addr} {name}\"><td><a href=\"{HOSTS}/{file}\">{addr}</a></td><td class=\"n\">{bytes_in}</td>\
                     <td class=\"n\">{bytes_out}</td><td>"
                );
                let (_, bins) = self.rollup.bins(host, Level::FiveMinutes, 288);
                graph::small(&joined(&bins, 6), &mut page);
                page.push_str("</td></tr>");
            }
            page.push_str("</tbody></table></section>");
        }
        page.push_str("<script src=\"search.js\"></script></body></html>\n");
        page
    }

    /// The page of a host.
    pub fn host(&self, addr: IpAddr, host: &Host) -> String {
        let name = addr.to_string();
        let mut page = head(&name, "../");
        let [bytes_in, bytes_out] = self.today(host).map(Amount);
        let _ = write!(
            page,
            "<p><a href=\"../index.html\">All hosts</a></p><h1>{name}</h1><p>{}, today {bytes_in} in, {bytes_out} out, \
             last seen {}</p><p class=\"key\"><span class=\"in\">in</span> <span class=\"out\">out</span></p>",
            Escaped(self.network(addr)),
            self.time(host.last_s())
        );
        for (title, level, count, join) in [
            ("Day", Level::FiveMinutes, 288, 1),
            ("Week", Level::Hours, 168, 1),
            ("Month", Level::Hours, 744, 3),
            ("Year", Level::Days, 366, 1),
        ] {
            let (first, bins) = self.rollup.bins(host, level, count);
            let ticks = self.ticks(title, first, bins.len(), level);
            let ticks: Vec<(usize, String)> =
                ticks.into_iter().map(|(bin, text)| (bin / join, text)).collect();
            let _ = write!(page, "<figure><figcaption>{title}</figcaption>");
            let bins = joined(&bins, join);
            let seconds = level.seconds() * join as u64;
            Graph { title: &format!("{name}, {title}"), bins: &bins, seconds, ticks: &ticks }
                .write(&mut page);
            page.push_str("</figure>");
        }
        top("Peers", host.peers(), |peer| peer.to_string(), &mut page);
        top("Services", host.services(), service, &mut page);
        page.push_str("</body></html>\n");
        page
    }

    fn network(&self, addr: IpAddr) -> &str {
        match self.networks.name(self.networks.number_of(addr)) {
            "" => "other",
            name => name,
        }
    }

    fn today(&self, host: &Host) -> Bytes {
        self.rollup.bins(host, Level::Days, 1).1.first().copied().unwrap_or_default()
    }

    fn time(&self, unix_s: u64) -> String {
        let WallTime { month, day, hour, minute, .. } = (self.wall)(unix_s);
        format!("{month:02}-{day:02} {hour:02}:{minute:02}")
    }

    /// What stands below which of the bins.
    fn ticks(&self, title: &str, first: u64, bins: usize, level: Level) -> Vec<(usize, String)> {
        const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
        const MONTHS: [&str; 12] =
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let name =
            |names: &[&str], number: u32| names.get(number as usize).copied().unwrap_or_default().to_owned();
        let tick = |place: usize| {
            let bin = first + place as u64;
            // Days are numbered on the wall: noon of one is in it, whatever the clock is ahead by.
            let WallTime { month, day, weekday, hour, minute } = match level {
                Level::Days => {
                    (self.wall)((bin * level.seconds()).saturating_add_signed(43_200 - self.rollup.ahead_s))
                }
                _ => (self.wall)(bin * level.seconds()),
            };
            let midnight = hour == 0 && minute < 30;
            match title {
                "Day" => (hour % 4 == 0 && minute == 0).then(|| format!("{hour:02}:00")),
                "Week" => midnight.then(|| name(&WEEKDAYS, weekday)),
                "Month" => (midnight && day % 5 == 1 && day < 30)
                    .then(|| format!("{day} {}", name(&MONTHS, month - 1))),
                _ => (day == 1 && month % 2 == 1).then(|| name(&MONTHS, month - 1)),
            }
        };
        (0..bins).filter_map(|place| Some((place, tick(place)?))).collect()
    }
}

/// The file of a host's page.
pub fn file_name(addr: IpAddr) -> String {
    format!("{}.html", addr.to_string().replace(':', "-"))
}

fn head(title: &str, up: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta http-equiv=\"Content-Security-Policy\" \
         content=\"default-src 'none'; style-src 'self'; script-src 'self'; img-src data:; base-uri 'none'; form-action 'none'\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><link rel=\"icon\" href=\"data:,\">\
         <link rel=\"stylesheet\" href=\"{up}site.css\"><title>{}</title></head><body>\n",
        Escaped(title)
    )
}

fn joined(bins: &[Bytes], join: usize) -> Vec<Bytes> {
    let sum = |bins: &[Bytes]| {
        bins.iter().fold([0, 0], |mut sum, &bytes| {
            crate::top::add(&mut sum, bytes);
            sum
        })
    };
    bins.chunks(join).map(sum).collect()
}

/// So many rows has a table of the largest.
const TOP_ROWS: usize = 10;

fn top<K: Copy>(title: &str, rows: &[(K, Bytes)], name: impl Fn(K) -> String, page: &mut String) {
    let _ = write!(
        page,
        "<section><h2>{title}</h2><table><thead><tr><th>{title}</th><th class=\"n\">In</th><th class=\"n\">Out</th></tr></thead><tbody>"
    );
    for (key, bytes) in rows.iter().take(TOP_ROWS) {
        let [bytes_in, bytes_out] = bytes.map(Amount);
        let _ = write!(
            page,
            "<tr><td>{}</td><td class=\"n\">{bytes_in}</td><td class=\"n\">{bytes_out}</td></tr>",
            Escaped(&name(*key))
        );
    }
    page.push_str("</tbody></table></section>");
}

fn service(Service { proto, port }: Service) -> String {
    let proto = protocol_name(proto).map_or_else(|| proto.to_string(), |name| name.trim().to_owned());
    if port == 0 { proto } else { format!("{proto}/{port}") }
}

/// Bytes for people.
struct Amount(u64);

impl Display for Amount {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}B", scaled(self.0 as f64))
    }
}

/// A text that can mean nothing in a page but itself.
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            match letter {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                letter if letter.is_control() => f.write_char(' ')?,
                letter => f.write_char(letter)?,
            }
        }
        Ok(())
    }
}

/// The colours are told apart by people who see few of them.
const STYLE: &str = "\
:root{color-scheme:light dark;--paper:#fff;--ink:#1b1b1b;--faint:#777;--line:#ccc;--in:#56b4e9;--out:#d55e00}
@media(prefers-color-scheme:dark){:root{--paper:#16181c;--ink:#e6e6e6;--faint:#9aa0a6;--line:#3a3f46;--in:#2a7ab0;--out:#ff8c42}}
body{margin:0 auto;max-width:60rem;padding:.5rem 1rem 2rem;background:var(--paper);color:var(--ink);font:1rem/1.4 system-ui,sans-serif}
h1{font-size:1.4rem;overflow-wrap:anywhere}h2{font-size:1.1rem;margin-bottom:.2rem}p{margin:.3rem 0}
a{color:inherit}table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.25rem .5rem .25rem 0;border-bottom:1px solid var(--line)}
td{overflow-wrap:anywhere}.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
input{font:inherit;padding:.3rem;max-width:100%;box-sizing:border-box}
figure{margin:1rem 0}figcaption{font-weight:600}svg{display:block;width:100%;height:auto}td svg{width:7.5rem}
svg text{font-size:12px;fill:var(--faint)}.grid{stroke:var(--line);stroke-width:1;fill:none;stroke-dasharray:2 3}
path.in{fill:var(--in)}path.out{fill:none;stroke:var(--out);stroke-width:1.5}
.key span{border-left:1rem solid;padding-left:.4rem;margin-right:1rem}.key .in{border-color:var(--in)}.key .out{border-color:var(--out)}
@media(max-width:30rem){svg text{font-size:20px}td svg{width:4rem}th,td{padding-right:.3rem}}
[hidden]{display:none}
";

const SEARCH: &str = "\
\"use strict\";
const search = document.getElementById(\"search\");
search.addEventListener(\"input\", () => {
  const wanted = search.value.trim().toLowerCase();
  for (const section of document.querySelectorAll(\"section\")) {
    let any = false;
    for (const row of section.querySelectorAll(\"tr[data-find]\")) {
      row.hidden = !row.dataset.find.toLowerCase().includes(wanted);
      any ||= !row.hidden;
    }
    section.hidden = !any;
  }
});
";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Networks, Tally};
    use flow_model::{BatchBuilder, Field, Selection};

    const NOON: u64 = 1_700_049_600;

    fn wall(unix_s: u64) -> WallTime {
        let (days, second) = (unix_s / 86_400, unix_s % 86_400);
        // Days and months of 30 days: no test here depends on a calendar.
        WallTime {
            month: (days / 30 % 12) as u32 + 1,
            day: (days % 30) as u32 + 1,
            weekday: (days % 7) as u32,
            hour: (second / 3_600) as u32,
            minute: (second % 3_600 / 60) as u32,
        }
    }

    #[test]
    fn pages_name_everything_and_run_nothing() {
        let mut builder = BatchBuilder::new();
        for (src, dst) in [("2001:db8::1", "192.0.2.1"), ("198.51.100.7", "192.0.2.1")] {
            builder.set_ip(Field::SrcAddr, src.parse().unwrap());
            builder.set_ip(Field::DstAddr, dst.parse().unwrap());
            for (field, num) in [
                (Field::FirstMs, NOON * 1_000),
                (Field::LastMs, NOON * 1_000),
                (Field::SrcNetwork, u64::from(src.contains(':'))),
                (Field::DstNetwork, 1),
                (Field::SrcPort, 443),
                (Field::DstPort, 50_000),
                (Field::Proto, 6),
                (Field::InBytes, 1_500_000),
            ] {
                builder.set(field, num);
            }
            builder.finish_row();
        }
        let mut tally = Tally::new(NOON + 60, 0);
        tally.add(&builder.finish(), &Selection::all(2));
        let mut rollup = Rollup::default();
        rollup.add("d", "nfcapd.1", tally);
        let (networks, _) =
            Networks::parse("192.0.2.0/24 <script>alert('1')</script>\n2001:db8::/32 \"six\" & more\n");
        let pages = Pages { rollup: &rollup, networks: &networks, wall: &wall };
        let index = pages.index();
        assert!(index.contains("<h2>&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;</h2>"), "{index}");
        assert!(index.contains("data-find=\"2001:db8::1 &quot;six&quot; &amp; more\""));
        assert!(index.contains("<a href=\"host/2001-db8--1.html\">2001:db8::1</a>"));
        assert!(index.contains("today 3 MB in, 0 B out"), "{index}");
        assert_eq!(index.matches("<script").count(), 1);
        for (addr, host) in rollup.hosts() {
            let page = pages.host(addr, host);
            assert_eq!(page.matches("<svg").count(), 4);
            assert!(page.contains("TCP/443"), "{page}");
            assert!(page.contains("bit/s"));
            for page in [&page, &index] {
                assert!(page.contains("Content-Security-Policy"));
                for forbidden in ["http://", "https://", "style=", "onload", "javascript:"] {
                    assert!(!page.contains(forbidden), "{forbidden}");
                }
            }
        }
    }
}

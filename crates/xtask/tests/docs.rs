//! The pages for users are true: what README.md and docs/ tell people to type is run.
//!
//! Each page is run from its first command to its last in a copy of this machine of its own
//! (`packaging/machine`), where the package is installed. [`support::pages`] says which blocks are commands, and what the
//! comments between them do.

mod support;

use std::sync::Arc;

use flow_testkit::conditions::trial;
use libtest_mimic::{Arguments, Failed, Trial};
use support::machine::{Packages, machine};
use support::pages::{Kind, Page, broken_links, check_parser, pages};
use xtask::programs::root;

/// The blocks of commands that are not run, by their page and their first line. The reasons stand in the pages.
const NOT_RUN: [(&str, &str); 2] = [
    ("README.md", "git clone URL rdump && cd rdump"),
    ("docs/guides/operations.md", "sysctl -p /usr/lib/sysctl.d/60-rcapd.conf"),
];

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::from_args();
    let mut trials = vec![Trial::test("parser", || Ok(check_parser()?))];
    match pages(root()) {
        Err(reason) => trials.push(Trial::test("every block is of a known kind", || Err(reason.into()))),
        Ok(pages) => {
            let packages = Arc::new(Packages::default());
            trials.push(Trial::test("every block is of a known kind", || Ok(())));
            let blocks = not_run(&pages);
            trials.push(Trial::test("what is not run is known", move || same(&blocks)));
            for page in pages {
                for part in &page.parts {
                    if let Kind::NotRun(reason) = &part.kind {
                        let name = format!("{}:{}", page.name, part.line);
                        trials.push(Trial::test(name, || Ok(())).with_kind(reason).with_ignored_flag(true));
                    }
                }
                let links = broken_links(root(), &page);
                trials.push(Trial::test(format!("links of {}", page.name), move || {
                    match links?.as_slice() {
                        [] => Ok(()),
                        broken => Err(format!("lead nowhere: {}", broken.join(", ")).into()),
                    }
                }));
                if page.runs() {
                    let packages = Arc::clone(&packages);
                    trials.push(trial(page.name.clone(), machine(), move |()| packages.run(&page.script())));
                }
            }
        }
    }
    libtest_mimic::run(&arguments, trials).exit();
}

fn not_run(pages: &[Page]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for page in pages {
        for part in page.parts.iter().filter(|part| matches!(part.kind, Kind::NotRun(_))) {
            found.push((page.name.clone(), part.text.lines().next().unwrap_or_default().to_owned()));
        }
    }
    found
}

fn same(found: &[(String, String)]) -> Result<(), Failed> {
    let known = NOT_RUN.map(|(page, line)| (page.to_owned(), line.to_owned()));
    if found == known { Ok(()) } else { Err(format!("not run: {found:#?}\nknown: {known:#?}").into()) }
}

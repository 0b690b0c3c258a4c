//! getopt's habits, taken out of an argument vector before clap reads it.
//!
//! nfdump's programs read their options with getopt(3): letters cluster (`-qN`), values are glued or follow
//! in the next word whatever it looks like (`-t -60`), options may stand behind operands, `--` ends them.
//! clap agrees with most of this but not with all: it strips `=` from a glued value, and takes a value that
//! starts with `-` for an option. [`normalise`] therefore writes every option as a word of its own with the
//! value behind `=`, and all operands behind `--`. Which letters take values it learns from the
//! [`clap::Command`] itself.

use std::ffi::{OsStr, OsString};
use std::net::IpAddr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use clap::{Arg, Command};

/// Where a program departs from getopt.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Quirk<'a> {
    /// The option has a value only when `=` follows the letter (`-z=lz4`); else it is a flag (`-z`, `-zq`).
    ValueAfterEquals(char),
    /// The option has a value only when a digit up to the second field follows the letter or is the whole
    /// next word (`-v3`, `-v 3`); else it is a flag.
    ValueIfDigit(char, u8),
    /// A flag that in nfcapd 1.6.13 took a multicast group. Followed by one, it means the other option.
    MulticastGroup {
        /// The flag.
        flag: char,
        /// The option which takes the group.
        group: char,
    },
    /// nfcapd's `-w`: a directory in 1.7, a flag without effect ("align") in 1.6. As a flag it is dropped.
    AlignOrDirectory {
        /// The option.
        option: char,
        /// Options which also say where data go; with one of them, a word behind `-w` that is no directory
        /// is an operand.
        others: &'a [char],
        /// Whether a directory of that name exists.
        is_directory: &'a dyn Fn(&Path) -> bool,
    },
}

/// Rewrites `args` (without the program's name) so that clap reads what getopt would have read.
///
/// An option that the command does not know, or that lacks its value, is passed on for clap to complain
/// about. Long options, which nfdump has none of, are passed on, with a value from the next word joined to
/// them; they cannot be abbreviated, because a new option could make an abbreviation ambiguous.
pub fn normalise(args: &[OsString], command: &Command, quirks: &[Quirk<'_>]) -> Vec<OsString> {
    let options = Options::new(command, quirks);
    // Rule 3 of `-w` asks which other options are given, wherever they stand: look once, then decide.
    let given = options.scan(args, &[]).letters;
    options.scan(args, &given).into_words()
}

/// What a command's options look like to getopt.
struct Options<'a> {
    short: Vec<(char, bool)>,
    long: Vec<(String, bool)>,
    quirks: &'a [Quirk<'a>],
}

/// What has been read.
#[derive(Default)]
struct Scan {
    options: Vec<OsString>,
    operands: Vec<OsString>,
    letters: Vec<char>,
    /// The last option lacks its value: nothing may follow it.
    unfinished: bool,
}

impl<'a> Options<'a> {
    fn new(command: &Command, quirks: &'a [Quirk<'a>]) -> Self {
        let mut command = command.clone();
        command.build();
        let mut short = Vec::new();
        let mut long = Vec::new();
        for arg in command.get_arguments() {
            let valued = takes_value(arg);
            short.extend(arg.get_short().map(|letter| (letter, valued)));
            short.extend(arg.get_all_short_aliases().unwrap_or_default().into_iter().map(|l| (l, valued)));
            // A value that is optional never is the next word.
            let joined = valued && !arg.is_require_equals_set();
            long.extend(arg.get_long().map(|name| (name.to_owned(), joined)));
            long.extend(
                arg.get_all_aliases().unwrap_or_default().into_iter().map(|n| (n.to_owned(), joined)),
            );
        }
        Options { short, long, quirks }
    }

    fn scan(&self, args: &[OsString], given: &[char]) -> Scan {
        let mut scan = Scan::default();
        let mut words = args.iter().map(OsString::as_os_str).peekable();
        while let Some(word) = words.next() {
            let bytes = word.as_bytes();
            if bytes == b"--" {
                scan.operands.extend(words.by_ref().map(OsStr::to_owned));
            } else if let Some(long) = bytes.strip_prefix(b"--") {
                self.long_option(word, long, &mut words, &mut scan);
            } else if bytes.len() > 1 && bytes[0] == b'-' {
                self.cluster(word, &mut words, given, &mut scan);
            } else {
                scan.operands.push(word.to_owned());
            }
        }
        scan
    }

    fn long_option<'w>(
        &self,
        word: &OsStr,
        name: &[u8],
        words: &mut impl Iterator<Item = &'w OsStr>,
        scan: &mut Scan,
    ) {
        let valued = self.long.iter().any(|(long, valued)| *valued && long.as_bytes() == name);
        if !valued {
            scan.options.push(word.to_owned());
            return;
        }
        match words.next() {
            Some(value) => scan.options.push(join(&[word.as_bytes(), b"=", value.as_bytes()])),
            None => scan.leave_unfinished(word.to_owned()),
        }
    }

    fn cluster<'w>(
        &self,
        word: &OsStr,
        words: &mut std::iter::Peekable<impl Iterator<Item = &'w OsStr>>,
        given: &[char],
        scan: &mut Scan,
    ) {
        let mut rest = &word.as_bytes()[1..];
        while let Some((&first, behind)) = rest.split_first() {
            let letter = char::from(first);
            if !first.is_ascii() || letter == '-' {
                // No option, and on its own it would be no ASCII or `--`: clap refuses the word as it is.
                scan.options.push(word.to_owned());
                return;
            }
            rest = behind;
            scan.letters.push(letter);
            if let Some(quirk) = self.quirk(letter) {
                match self.apply(quirk, letter, &mut rest, words.peek().copied(), given) {
                    Meaning::Flag => scan.flag(letter),
                    Meaning::Dropped => {}
                    Meaning::Value(letter, value) => scan.value(letter, value.as_bytes()),
                    Meaning::NextWord(letter) => {
                        if let Some(value) = words.next() {
                            scan.value(letter, value.as_bytes());
                        }
                    }
                }
            } else if !self.takes_value(letter) {
                scan.flag(letter);
            } else if !rest.is_empty() {
                scan.value(letter, rest);
                return;
            } else if let Some(value) = words.next() {
                scan.value(letter, value.as_bytes());
            } else {
                scan.leave_unfinished(OsString::from(format!("-{letter}")));
            }
        }
    }

    /// What a letter with a quirk means. `rest` is the rest of its word and is shortened by what belongs to
    /// the letter.
    fn apply(
        &self,
        quirk: &Quirk<'_>,
        letter: char,
        rest: &mut &[u8],
        next: Option<&OsStr>,
        given: &[char],
    ) -> Meaning {
        let glued = |rest: &mut &[u8], letter, skip| {
            let value = OsString::from_vec(rest[skip..].to_vec());
            *rest = &[];
            Meaning::Value(letter, value)
        };
        match *quirk {
            Quirk::ValueAfterEquals(_) if rest.starts_with(b"=") => glued(rest, letter, 1),
            Quirk::ValueAfterEquals(_) => Meaning::Flag,
            Quirk::ValueIfDigit(_, highest) => {
                let fits = |byte: &u8| byte.is_ascii_digit() && byte - b'0' <= highest;
                if let Some((digit, behind)) = rest.split_first().filter(|(first, _)| fits(first)) {
                    *rest = behind;
                    Meaning::Value(letter, OsString::from_vec(vec![*digit]))
                } else if rest.is_empty()
                    && next.is_some_and(|word| matches!(word.as_bytes(), [d] if fits(d)))
                {
                    Meaning::NextWord(letter)
                } else {
                    Meaning::Flag
                }
            }
            Quirk::MulticastGroup { group, .. } => {
                if is_multicast(rest) {
                    glued(rest, group, 0)
                } else if rest.is_empty() && next.is_some_and(|word| is_multicast(word.as_bytes())) {
                    Meaning::NextWord(group)
                } else {
                    Meaning::Flag
                }
            }
            Quirk::AlignOrDirectory { others, is_directory, .. } => {
                let exists = |name: &[u8]| is_directory(Path::new(OsStr::from_bytes(name)));
                if !rest.is_empty() {
                    let all_flags = rest.iter().all(|byte| self.is_flag(char::from(*byte)));
                    return if all_flags && !exists(rest) {
                        Meaning::Dropped
                    } else {
                        glued(rest, letter, 0)
                    };
                }
                match next {
                    Some(word) if !word.as_bytes().starts_with(b"-") => {
                        let elsewhere = given.iter().any(|letter| others.contains(letter));
                        if elsewhere && !exists(word.as_bytes()) {
                            Meaning::Dropped
                        } else {
                            Meaning::NextWord(letter)
                        }
                    }
                    _ => Meaning::Dropped,
                }
            }
        }
    }

    fn quirk(&self, letter: char) -> Option<&Quirk<'a>> {
        self.quirks.iter().find(|quirk| match quirk {
            Quirk::ValueAfterEquals(option)
            | Quirk::ValueIfDigit(option, _)
            | Quirk::MulticastGroup { flag: option, .. }
            | Quirk::AlignOrDirectory { option, .. } => *option == letter,
        })
    }

    fn takes_value(&self, letter: char) -> bool {
        self.short.iter().any(|(short, valued)| *short == letter && *valued)
    }

    /// Whether a letter in the middle of a cluster can be a flag.
    fn is_flag(&self, letter: char) -> bool {
        match self.quirk(letter) {
            Some(Quirk::AlignOrDirectory { .. }) => false,
            Some(_) => true,
            None => self.short.iter().any(|(short, valued)| *short == letter && !*valued),
        }
    }
}

impl Scan {
    fn flag(&mut self, letter: char) {
        self.options.push(OsString::from(format!("-{letter}")));
    }

    fn value(&mut self, letter: char, value: &[u8]) {
        self.options.push(join(&[format!("-{letter}=").as_bytes(), value]));
    }

    fn leave_unfinished(&mut self, word: OsString) {
        self.options.push(word);
        self.unfinished = true;
    }

    fn into_words(self) -> Vec<OsString> {
        let mut words = self.options;
        if !self.operands.is_empty() && !self.unfinished {
            words.push(OsString::from("--"));
            words.extend(self.operands);
        }
        words
    }
}

/// What a letter with a quirk turned out to be.
enum Meaning {
    Flag,
    Dropped,
    Value(char, OsString),
    NextWord(char),
}

fn takes_value(arg: &Arg) -> bool {
    arg.get_num_args().is_some_and(|range| range.takes_values())
}

fn is_multicast(text: &[u8]) -> bool {
    std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse().ok())
        .is_some_and(|address: IpAddr| address.is_multicast())
}

fn join(parts: &[&[u8]]) -> OsString {
    OsString::from_vec(parts.concat())
}

#[cfg(test)]
mod tests {
    use clap::ArgAction;

    use super::*;

    fn flag(letter: &'static str) -> Arg {
        Arg::new(letter).short(letter.chars().next()).action(ArgAction::SetTrue)
    }

    fn option(letter: &'static str) -> Arg {
        Arg::new(letter).short(letter.chars().next()).action(ArgAction::Append)
    }

    /// Enough of rcapd and rdump to speak of.
    fn command() -> Command {
        Command::new("test")
            .disable_help_flag(true)
            .args(["q", "N", "D", "z", "j"].map(flag))
            .args(["o", "t", "R", "J", "P", "T", "n", "M"].map(option))
            .arg(option("w").short_alias('l').long("directory"))
            .arg(Arg::new("v").short('v').long("verbose").num_args(0..=1).require_equals(true))
            .arg(Arg::new("words").num_args(0..))
    }

    fn words(line: &str, quirks: &[Quirk<'_>]) -> String {
        let args: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let words = normalise(&args, &command(), quirks);
        words.iter().map(|word| word.to_str().unwrap()).collect::<Vec<_>>().join(" ")
    }

    #[track_caller]
    fn assert_plain(line: &str, expected: &str) {
        assert_eq!(words(line, &[]), expected);
    }

    #[track_caller]
    fn assert_collector(line: &str, expected: &str) {
        let quirks = [
            Quirk::ValueAfterEquals('z'),
            Quirk::ValueIfDigit('v', 4),
            Quirk::MulticastGroup { flag: 'j', group: 'J' },
            Quirk::AlignOrDirectory {
                option: 'w',
                others: &['l', 'n', 'M'],
                is_directory: &|path| path == Path::new("data") || path == Path::new("Dq"),
            },
        ];
        assert_eq!(words(line, &quirks), expected);
    }

    #[test]
    fn clusters_and_glued_values_come_apart() {
        assert_plain("-qN -oline -R.", "-q -N -o=line -R=.");
        assert_plain("-qNofmt:%sa", "-q -N -o=fmt:%sa");
        assert_plain("-o=x", "-o==x");
        assert_plain("-Dl data", "-D -l=data");
    }

    #[test]
    fn values_may_look_like_options() {
        assert_plain("-t -60 -o -q", "-t=-60 -o=-q");
        assert_plain("-o -- -q", "-o=-- -q");
        assert_plain("--directory -q -N", "--directory=-q -N");
        assert_plain("--verbose 3 -q --verbose=3", "--verbose -q --verbose=3 -- 3");
    }

    #[test]
    fn operands_gather_behind_two_dashes() {
        assert_plain("proto -q tcp -n 5 - and", "-q -n=5 -- proto tcp - and");
        assert_plain("a -- -q -o", "-- a -q -o");
        assert_plain("--", "");
    }

    #[test]
    fn errors_are_left_to_clap() {
        assert_plain("-qx -N", "-q -x -N");
        assert_plain("a -o", "-o");
        assert_plain("--nonsense x", "--nonsense -- x");
        assert_plain("-é", "-é");
        assert_plain("-q--range", "-q -q--range");
    }

    #[test]
    fn an_equals_sign_may_carry_a_value() {
        assert_collector("-z -D", "-z -D");
        assert_collector("-z=lz4:3 -D", "-z=lz4:3 -D");
        assert_collector("-zD", "-z -D");
        assert_collector("-Dz=", "-D -z=");
        assert_collector("-z lzo", "-z -- lzo");
    }

    #[test]
    fn a_digit_may_be_a_value() {
        assert_collector("-v -D", "-v -D");
        assert_collector("-v 3 -D", "-v=3 -D");
        assert_collector("-v3D", "-v=3 -D");
        assert_collector("-vD 3", "-v -D -- 3");
        assert_collector("-v 5", "-v -- 5");
        assert_collector("-v 33", "-v -- 33");
    }

    #[test]
    fn a_multicast_group_makes_another_option() {
        assert_collector("-j 224.0.0.5 -D", "-J=224.0.0.5 -D");
        assert_collector("-jff02::5", "-J=ff02::5");
        assert_collector("-j 10.0.0.1", "-j -- 10.0.0.1");
        assert_collector("-jD", "-j -D");
    }

    #[test]
    fn consoles_start_the_collector() {
        // Pandora FMS, NfSen up to 1.3.8 and from 1.3.9 on, Debian's unit.
        assert_collector("-D -T all -w -t 300 -P pid -l dir", "-D -T=all -t=300 -P=pid -l=dir");
        assert_collector("-w -D -P pid -z -n id,1.2.3.4,dir", "-D -P=pid -z -n=id,1.2.3.4,dir");
        assert_collector("-D -z=lz4 -t 300 -w dir", "-D -z=lz4 -t=300 -w=dir");
        assert_collector("-D -P pid -l dir", "-D -P=pid -l=dir");
    }

    #[test]
    fn a_directory_may_be_glued_or_follow() {
        assert_collector("-w/data -D", "-w=/data -D");
        assert_collector("-w./data", "-w=./data");
        assert_collector("-wD -t 300", "-D -t=300");
        assert_collector("-wDz=lz4", "-w=Dz=lz4");
        assert_collector("-wDq", "-w=Dq");
        assert_collector("-wDP pid", "-w=DP -- pid");
        assert_collector("-Dw", "-D");
        assert_collector("-w -", "-- -");
        assert_collector("-w nowhere", "-w=nowhere");
    }

    #[test]
    fn a_word_that_is_no_directory_yields_to_the_other_options() {
        assert_collector("-w 300 -l dir", "-l=dir -- 300");
        assert_collector("-w data -l dir", "-w=data -l=dir");
        assert_collector("-M dir -w 300", "-M=dir -- 300");
        assert_collector("-w 300 -- -l", "-w=300 -- -l");
    }

    #[test]
    fn clap_reads_every_value_as_it_was() {
        let args =
            ["a", "-o", "", "-o=", "-o", "-q", "-o", "--", "-qo=x=y", "-t", "-60", "b"].map(OsString::from);
        let words = normalise(&args, &command(), &[]);
        let argv = std::iter::once(OsString::from("test")).chain(words);
        let matches = command().try_get_matches_from(argv).unwrap();
        let values = |id: &str| matches.get_many::<String>(id).unwrap().cloned().collect::<Vec<_>>();
        assert_eq!(values("o"), ["", "=", "-q", "--", "=x=y"]);
        assert_eq!(values("t"), ["-60"]);
        assert_eq!(values("words"), ["a", "b"]);
        assert!(matches.get_flag("q"));
    }
}

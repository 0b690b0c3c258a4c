use super::*;

/// A program.
#[derive(Debug, PartialEq, Parser)]
#[command(name = "rdump", group = clap::ArgGroup::new("compression").multiple(true).args(["compress", "lz4"]))]
struct Program {
    /// Format
    #[arg(short = 'o', long = "output", value_name = "FORMAT")]
    output: Option<String>,
    #[arg(short = 'q', long = "quiet")]
    quiet: bool,
    #[arg(short = 'W', long = "threads")]
    threads: Option<usize>,
    #[arg(long = "fmt", value_name = "NAME=TEXT")]
    fmt: Vec<String>,
    #[arg(short = 'n', long = "add-source", value_name = "IDENT,IP,DIR")]
    sources: Vec<String>,
    #[arg(short = 'p', long = "port", value_name = "PORT")]
    ports: Vec<String>,
    #[arg(short = 'z', long = "compress", num_args = 0..=1, require_equals = true, default_missing_value = "lzo")]
    compress: Option<String>,
    #[arg(short = 'y', long = "lz4")]
    lz4: bool,
    #[arg(short = 'G', long = "geo")]
    geo: Option<String>,
    #[command(flatten)]
    config: ConfigArgs,
    filter: Vec<String>,
}

/// Reads `line` with a configuration file of `text`, and these variables.
fn read(line: &str, text: &str, variables: &[(&str, &str)]) -> Result<Configured<Program>, String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("c.toml");
    std::fs::write(&path, text).unwrap();
    let surroundings = Surroundings {
        variable: &|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
        },
        default_files: &[path.to_str().unwrap()],
    };
    let words = line.split(' ').map(OsString::from);
    configured_in(words, &[Quirk::ValueAfterEquals('z')], &surroundings)
        .map_err(|error| error.render().to_string().replace(&format!("{}/", directory.path().display()), ""))
}

fn args(line: &str, text: &str, variables: &[(&str, &str)]) -> Program {
    read(line, text, variables).unwrap().args
}

fn error(line: &str, text: &str) -> String {
    read(line, text, &[]).unwrap_err().trim_end().to_owned()
}

#[test]
fn keys_are_long_names_and_stand_in_front_of_what_is_typed() {
    let text = "[rcapd]\nanything = 1\n[rdump]\noutput = 'long'\nquiet = true\nthreads = 0x10\nport = [1, '2']\n\
                fmt.one = '%sa'\nfmt.two = '%da'\nadd_source.a = ['192.0.2.1', '/d']\nadd-source.b = '::1,/e'\n";
    let args = args("rdump proto tcp", text, &[]);
    assert_eq!(args.output.as_deref(), Some("long"));
    assert!(args.quiet);
    assert_eq!(args.threads, Some(16));
    assert_eq!(args.ports, ["1", "2"]);
    assert_eq!(args.fmt, ["one=%sa", "two=%da"]);
    assert_eq!(args.sources, ["a,192.0.2.1,/d", "b,::1,/e"]);
    assert_eq!(args.filter, ["proto", "tcp"]);
}

#[test]
fn the_nearest_place_counts_also_for_what_collects_values() {
    let text = "[rdump]\noutput = 'file'\nport = 1\ncompress = 'zstd'\n";
    assert_eq!(args("rdump -o typed", text, &[("RDUMP_OUTPUT", "e")]).output.as_deref(), Some("typed"));
    let read = args("rdump -y", text, &[("RDUMP_OUTPUT", "e"), ("RDUMP_PORT", "7"), ("RDUMP_QUIET", "1")]);
    assert_eq!((read.output.as_deref(), read.ports, read.quiet), (Some("e"), vec!["7".to_owned()], true));
    assert_eq!((read.compress, read.lz4), (None, true), "one choice, and it was typed");
    assert_eq!(args("rdump -p 9", text, &[]).ports, ["9"]);
    assert_eq!(args("rdump -C none", text, &[]).output, None);
    assert_eq!(args("rdump", "[rdump]\ncompress = true\n", &[]).compress.as_deref(), Some("lzo"));
    assert!(!args("rdump", "[rdump]\nquiet = false\n", &[("RDUMP_QUIET", "no"), ("RDUMP_OUTPUT", "")]).quiet);
}

#[test]
fn nfdumps_own_file_is_read() {
    let text = "[nfdump]\nfmt.long = \"%ts %ra\"\nmaxworkers = 3\ngeodb.path = '/g'\ntordb.path = '/t'\nnew = 1\n\
                [nfcapd]\nexporter.a = ['192.0.2.1', '/d']\n[nfpcapd]\nopt.fat = 1\n[rdump]\nthreads = 4\n";
    let args = args("rdump", text, &[]);
    assert_eq!((args.threads, args.geo.as_deref()), (Some(4), Some("/g")));
    assert_eq!(args.fmt, ["long=%ts %ra"]);
    assert_eq!(args_of_variable("NFGEODB"), Some("/v".to_owned()));
}

fn args_of_variable(name: &str) -> Option<String> {
    args("rdump", "", &[(name, "/v")]).geo
}

#[test]
fn mistakes_have_file_and_line() {
    for (text, expected) in [
        ("[rdump]\n\nqiet = true", "error: c.toml:3: unknown key `qiet`"),
        ("[rdump]\nfilter = 'x'", "error: c.toml:2: unknown key `filter`"),
        ("[rdump]\nconfig = 'x'", "error: c.toml:2: unknown key `config`"),
        ("[rdmp]\n", "error: c.toml:1: unknown table `rdmp`: there are [rdump], [rcapd], [rexpire]"),
        ("rdump = 1\n", "error: c.toml:1: `rdump` is a table: write `[rdump]`"),
        ("[rdump]\nquiet = 'yes'", "error: c.toml:2: `quiet`: true or false is expected"),
        ("[rdump]\noutput = true", "error: c.toml:2: `output`: a text or a number is expected"),
        ("[rdump]\noutput = ['a']", "error: c.toml:2: `output`: a text or a number is expected"),
        ("[rdump]\nport = [1,\n[2]]", "error: c.toml:3: `port`: a text or a number is expected"),
        ("[rdump]\nport.a = 1", "error: c.toml:2: `port`: a text or a list of texts is expected"),
        ("[rdump]\nfmt.a = true", "error: c.toml:2: `fmt`: a text or a number behind every name is expected"),
        (
            "[rdump]\nquiet = true\nthreads = 'x'",
            "error: c.toml:3: invalid value 'x' for '--threads <THREADS>': invalid digit found in string",
        ),
    ] {
        assert_eq!(error("rdump", text), expected, "{text}");
    }
    assert!(error("rdump", "[rdump]\nquiet = \n").starts_with("error: c.toml:2: "));
    assert_eq!(error("rdump -C /no/such", ""), "error: path does not exist: /no/such");
    let variable = read("rdump", "", &[("RDUMP_QUIET", "maybe")]).unwrap_err();
    assert_eq!(variable.trim_end(), "error: RDUMP_QUIET: true or false is expected");
    let variable = read("rdump", "", &[("NFCONF", "/no/such")]).unwrap_err();
    assert_eq!(variable.trim_end(), "error: path does not exist: /no/such");
}

#[test]
fn a_value_that_the_program_refuses_is_traced_to_its_line() {
    let text = "[rdump]\nquiet = true\noutput = 'nix'\n";
    let Configured { args, configuration } = read("rdump", text, &[]).unwrap();
    let error = configuration
        .check(args, |args: Program| {
            anyhow::ensure!(args.output.as_deref() != Some("nix"), "no such format");
            Ok(())
        })
        .unwrap_err();
    assert!(format!("{error:#}").ends_with("c.toml:3: no such format"), "{error:#}");
    assert_eq!(configuration.blame(|_: Program| true), None);
}

#[test]
fn effective_values_are_a_file_that_says_the_same() {
    let text = "[rdump]\noutput = 'a\"\\'\nport = [1, 2]\n";
    let printed = read("rdump -q --print-config", text, &[("RDUMP_THREADS", "2")]).unwrap_err();
    let printed = printed.strip_prefix("error: ").unwrap();
    assert_eq!(printed.lines().next(), Some("# c.toml"));
    for line in [
        "[rdump]",
        "output = \"a\\\"\\\\\"  # c.toml:2",
        "quiet = true  # option",
        "threads = \"2\"  # environment RDUMP_THREADS",
        "port = [\"1\", \"2\"]  # c.toml:3",
        "# geo: default. ",
    ] {
        assert!(printed.lines().any(|known| known == line), "{line}\n{printed}");
    }
    let again = args("rdump", printed, &[]);
    assert_eq!(again.output.as_deref(), Some("a\"\\"));
    assert!(again.quiet);
    assert_eq!((again.threads, again.ports), (Some(2), vec!["1".to_owned(), "2".to_owned()]));
}

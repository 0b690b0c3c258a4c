//! `cargo xtask dist`: what is given to others: a tarball, and packages for Debian.
//!
//! The package `rdump` has the three programs and lives beside nfdump's package. `rdump-nfdump` has links under nfdump's
//! names, and moves the programs of nfdump's package aside as long as it is installed.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::licences;
use crate::programs::{NAMES, Programs, root};

/// `cargo xtask dist`.
#[derive(Debug, Args)]
pub struct DistArgs {
    /// Where the files go
    #[arg(long, default_value = "target/dist")]
    pub output: PathBuf,

    /// Build and pack fast: to try the packages, not to give them away
    #[arg(long)]
    pub dev: bool,
}

/// Shells, and where Debian has their completions; `{}` stands for the program.
const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "usr/share/bash-completion/completions/{}"),
    ("zsh", "usr/share/zsh/vendor-completions/_{}"),
    ("fish", "usr/share/fish/vendor_completions.d/{}.fish"),
];

/// nfdump's names, and the programs that answer to them.
const LINKS: [(&str, &str); 4] =
    [("nfcapd", "rcapd"), ("sfcapd", "rcapd"), ("nfdump", "rdump"), ("nfexpire", "rexpire")];

/// What the packages have besides programs: file of `packaging/`, and where it is installed.
const ASSETS: [(&str, &str); 6] = [
    ("rcapd@.service", "usr/lib/systemd/system/rcapd@.service"),
    ("rcapd@.socket", "usr/lib/systemd/system/rcapd@.socket"),
    ("rexpire@.service", "usr/lib/systemd/system/rexpire@.service"),
    ("rexpire@.timer", "usr/lib/systemd/system/rexpire@.timer"),
    ("60-rcapd.conf", "usr/lib/sysctl.d/60-rcapd.conf"),
    ("rdump.toml", "usr/share/doc/rdump/examples/rdump.toml"),
];

/// Pages for the people who use the programs, and folders of such pages.
const DOCS: [&str; 10] = [
    "README.md",
    "CHANGELOG.md",
    "LICENSE",
    "docs/compat.md",
    "docs/filter.md",
    "docs/format.md",
    "docs/guides",
    "docs/hosts.md",
    "docs/nfdump-files.md",
    "docs/reference.md",
];

/// Builds everything.
///
/// # Errors
///
/// When a program that is needed is missing or fails, a licence is not one of those allowed, or nothing can be written.
pub fn run(args: &DistArgs) -> Result<()> {
    for file in build(args)? {
        println!("{}", file.display());
    }
    Ok(())
}

/// Builds everything; gives the files.
///
/// # Errors
///
/// As [`run`].
pub fn build(args: &DistArgs) -> Result<Vec<PathBuf>> {
    let output = root().join(&args.output);
    let programs = Programs::build(!args.dev)?;
    let version = env!("CARGO_PKG_VERSION");
    let arch = ask("dpkg", &["--print-architecture"])?;
    let stage = tempfile::tempdir()?;
    let tree = Tree { root: stage.path().join("rdump") };
    fill(&tree, &programs)?;
    fs::create_dir_all(&output).with_context(|| output.display().to_string())?;

    let name = format!("rdump-{version}-{arch}");
    let tarball = output.join(format!("{name}.tar.gz"));
    let from = format!("--transform=s,^[.]/usr,{name},");
    let packed = if args.dev { "--use-compress-program=gzip -1" } else { "--gzip" };
    let mut tar = Command::new("tar");
    tar.args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner", &from, packed, "-cf"])
        .arg(&tarball);
    call(tar.arg("-C").arg(&tree.root).arg("./usr"))?;

    let glibc = glibc_needed(&tree.root.join("usr/bin"))?;
    let package = Package {
        name: "rdump",
        depends: format!("libc6 (>= {glibc})"),
        more: "Recommends: adduser\n",
        about: "collects and queries network flows (NetFlow, IPFIX, sFlow)\n rcapd receives flows into rotating files, rdump answers questions about them,\n \
            rexpire keeps them below an age and a size. They understand the command lines\n and the files of nfdump, and live beside its package.\n",
        scripts: &[("rdump.postinst", "postinst")],
    };
    let beside = package.build(&tree, version, &arch, args)?;

    let tree = Tree { root: stage.path().join("rdump-nfdump") };
    for (link, program) in LINKS {
        tree.link(&format!("usr/bin/{link}"), program)?;
    }
    tree.copy("usr/share/doc/rdump-nfdump/copyright", &root().join("LICENSE"))?;
    let package = Package {
        name: "rdump-nfdump",
        depends: format!("rdump (= {version})"),
        more: "Enhances: nfdump\n",
        about: "lets rdump answer to the names of nfdump\n Links called nfcapd, sfcapd, nfdump and nfexpire take the places of nfdump's\n \
            programs, which are kept beside them and come back when this package goes.\n The rest of nfdump's package goes on working.\n",
        scripts: &[("rdump-nfdump.preinst", "preinst"), ("rdump-nfdump.postrm", "postrm")],
    };
    let instead = package.build(&tree, version, &arch, args)?;
    Ok(vec![tarball, beside, instead])
}

/// Programs, their pages and completions, and what else the package has.
fn fill(tree: &Tree, programs: &Programs) -> Result<()> {
    for name in NAMES {
        let path = tree.copy(&format!("usr/bin/{name}"), &programs.path(name))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        call(Command::new("strip").arg(&path))?;
        tree.write(&format!("usr/share/man/man1/{name}.1"), &printed(programs, name, &["--man"])?)?;
        call(Command::new("gzip").args(["-9n"]).arg(tree.root.join(format!("usr/share/man/man1/{name}.1"))))?;
        for (shell, place) in COMPLETIONS {
            let text = printed(programs, name, &["--completions", shell])?;
            tree.write(&place.replace("{}", name), &text)?;
        }
    }
    for (asset, place) in ASSETS {
        tree.copy(place, &packaging(asset))?;
    }
    for place in DOCS {
        let path = root().join(place);
        let place = Path::new("usr/share/doc/rdump").join(place.strip_prefix("docs/").unwrap_or(place));
        if path.is_dir() {
            for entry in fs::read_dir(&path)? {
                let page = entry?;
                tree.copy(&place.join(page.file_name()).to_string_lossy(), &page.path())?;
            }
        } else {
            tree.copy(&place.to_string_lossy(), &path)?;
        }
    }
    let mut copyright = fs::read_to_string(root().join("LICENSE"))?;
    copyright
        .push_str("\n\nThe programs contain the libraries below, under the licences that follow each.\n");
    copyright.push_str(&licences::texts()?);
    tree.write("usr/share/doc/rdump/copyright", copyright.as_bytes())
}

fn packaging(asset: &str) -> PathBuf {
    root().join("crates/xtask/packaging").join(asset)
}

/// What a program prints.
fn printed(programs: &Programs, name: &str, args: &[&str]) -> Result<Vec<u8>> {
    let output = programs.command(name).args(args).output().with_context(|| name.to_owned())?;
    ensure!(output.status.success(), "{name} {args:?}: {}", output.status);
    Ok(output.stdout)
}

/// A directory in the shape of a file system.
struct Tree {
    root: PathBuf,
}

impl Tree {
    fn place(&self, path: &str) -> Result<PathBuf> {
        let path = self.root.join(path);
        let parent = path.parent().context("a path without a directory")?;
        fs::create_dir_all(parent).with_context(|| parent.display().to_string())?;
        Ok(path)
    }

    fn write(&self, path: &str, content: &[u8]) -> Result<()> {
        let path = self.place(path)?;
        fs::write(&path, content).with_context(|| path.display().to_string())
    }

    fn copy(&self, path: &str, from: &Path) -> Result<PathBuf> {
        let path = self.place(path)?;
        fs::copy(from, &path).with_context(|| from.display().to_string())?;
        Ok(path)
    }

    fn link(&self, path: &str, target: &str) -> Result<()> {
        let path = self.place(path)?;
        symlink(target, &path).with_context(|| path.display().to_string())
    }
}

/// A package of Debian's.
struct Package {
    name: &'static str,
    depends: String,
    /// Further lines of `control`.
    more: &'static str,
    /// A line, and the text below it.
    about: &'static str,
    /// Files of `packaging/`, and when they are run.
    scripts: &'static [(&'static str, &'static str)],
}

impl Package {
    fn build(&self, tree: &Tree, version: &str, arch: &str, args: &DistArgs) -> Result<PathBuf> {
        let Package { name, depends, more, about, scripts } = self;
        let size = ask("du", &["-sk", &tree.root.to_string_lossy()])?;
        let size = size.split_whitespace().next().unwrap_or("0");
        let control = format!(
            "Package: {name}\nVersion: {version}\nArchitecture: {arch}\nSection: net\nPriority: optional\n\
             Maintainer: The rdump developers <rdump@localhost>\nInstalled-Size: {size}\nDepends: {depends}\n{more}Description: {about}"
        );
        tree.write("DEBIAN/control", control.as_bytes())?;
        for (asset, script) in *scripts {
            let path = tree.copy(&format!("DEBIAN/{script}"), &packaging(asset))?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        }
        let file = root().join(&args.output).join(format!("{name}_{version}_{arch}.deb"));
        let mut build = Command::new("dpkg-deb");
        if args.dev {
            build.args(["-Zgzip", "-z1"]);
        }
        call(build.args(["--root-owner-group", "--build"]).arg(&tree.root).arg(&file))?;
        Ok(file)
    }
}

/// The newest version of glibc that one of the programs needs a symbol of.
fn glibc_needed(programs: &Path) -> Result<String> {
    let mut newest = Vec::new();
    for name in NAMES {
        let symbols = ask("objdump", &["-T", &programs.join(name).to_string_lossy()])?;
        for word in symbols.split_whitespace() {
            let Some(version) = word.trim_matches(['(', ')']).strip_prefix("GLIBC_") else { continue };
            let numbers: Vec<u32> = version.split('.').filter_map(|number| number.parse().ok()).collect();
            newest = newest.max(numbers);
        }
    }
    ensure!(!newest.is_empty(), "the programs need no glibc");
    Ok(newest.iter().map(u32::to_string).collect::<Vec<_>>().join("."))
}

fn call(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| name.clone())?;
    if output.status.success() {
        return Ok(());
    }
    bail!("{name}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr));
}

fn ask(program: &str, args: &[&str]) -> Result<String> {
    let output = Command::new(program).args(args).output().with_context(|| program.to_owned())?;
    ensure!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

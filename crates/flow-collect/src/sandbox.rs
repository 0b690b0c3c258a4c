//! What the collector's own process can still do once it collects: no new privileges, and with Landlock, where the kernel
//! has it, no files but its own.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, RestrictionStatus,
    Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError,
};
use nix::sys::prctl;

/// Read while collecting: the kernel's counters and who has which file open, and the time zone.
const READABLE: [&str; 4] = ["/proc", "/etc/localtime", "/usr/share/zoneinfo", "/usr/lib/zoneinfo"];

/// The rights we know of. Those that the kernel does not know are not asked for.
const RIGHTS: ABI = ABI::V5;

/// What files the process needs.
#[derive(Debug, Default)]
pub(crate) struct Sandbox {
    /// Directories of which everything below is ours.
    pub(crate) owned: Vec<PathBuf>,
    /// Files that are removed at the end.
    pub(crate) removed: Vec<PathBuf>,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Confinement {
    /// Files are confined.
    Landlock,
    /// The kernel does not offer it.
    Missing,
}

impl fmt::Display for Confinement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Confinement::Landlock => "Sandbox: no files but the data directories (Landlock)",
            Confinement::Missing => {
                "Sandbox: this kernel has no Landlock (2 or later); no new privileges only"
            }
        })
    }
}

impl Sandbox {
    /// Confines this thread and those it starts, for good.
    ///
    /// A directory of ours may be removed and made anew, or something be mounted there: rights are given to the directory
    /// it is in, unless that is the root.
    pub(crate) fn enter(&self) -> io::Result<Confinement> {
        prctl::set_no_new_privs()?;
        let status = self.confine().map_err(io::Error::other)?;
        // Rights to rename between directories came with the second version: without them, files could not be filed.
        Ok(match status {
            Some(_) => Confinement::Landlock,
            None => Confinement::Missing,
        })
    }

    fn confine(&self) -> Result<Option<RestrictionStatus>, RulesetError> {
        let required =
            Ruleset::default().set_compatibility(CompatLevel::HardRequirement).handle_access(AccessFs::Refer);
        let Ok(ruleset) = required else { return Ok(None) };
        let all = AccessFs::from_all(RIGHTS);
        let mut ruleset = ruleset.set_compatibility(CompatLevel::BestEffort).handle_access(all)?.create()?;
        for directory in &self.owned {
            let parent = directory.parent().filter(|parent| parent.parent().is_some());
            for path in parent.into_iter().chain([directory.as_path()]) {
                ruleset = allow(ruleset, path, all & !AccessFs::Execute)?;
            }
        }
        for file in &self.removed {
            if let Some(parent) = file.parent() {
                ruleset = allow(ruleset, parent, AccessFs::RemoveFile | AccessFs::ReadFile)?;
            }
        }
        for path in READABLE {
            ruleset = allow(ruleset, Path::new(path), AccessFs::from_read(RIGHTS))?;
        }
        ruleset.restrict_self().map(Some)
    }
}

/// Gives rights to a path; what does not exist needs none.
fn allow(
    ruleset: RulesetCreated,
    path: &Path,
    rights: BitFlags<AccessFs>,
) -> Result<RulesetCreated, RulesetError> {
    match PathFd::new(path) {
        Ok(fd) => {
            let is_file = path.is_file();
            let rights = if is_file { rights & AccessFs::from_file(RIGHTS) } else { rights };
            ruleset.add_rule(PathBeneath::new(fd, rights))
        }
        Err(_) => Ok(ruleset),
    }
}

//! Whom the collector runs as, once it has its ports.

use std::io;
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::unistd::{self, Gid, Group, Uid, User};

/// The user and group of `-u` and `-g`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    user: Option<User>,
    group: Option<Gid>,
}

/// Why we cannot be somebody else.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// There is no such user.
    #[error("Invalid user '{0}'")]
    User(String),
    /// There is no such group.
    #[error("Invalid group '{0}'")]
    Group(String),
    /// We are not root.
    #[error("only root can change user and group")]
    NotRoot,
}

impl Identity {
    /// Looks up names, or numbers, of a user and a group; `None` when there is nothing to change.
    ///
    /// # Errors
    /// When there is no such user or group, or we may not become them.
    pub fn find(user: Option<&str>, group: Option<&str>) -> Result<Option<Identity>, IdentityError> {
        let find_user = |name: &str| {
            let by_number = || User::from_uid(Uid::from_raw(name.parse().ok()?)).ok().flatten();
            let found = User::from_name(name).ok().flatten();
            found.or_else(by_number).ok_or_else(|| IdentityError::User(name.to_owned()))
        };
        let find_group = |name: &str| {
            let by_number = || Group::from_gid(Gid::from_raw(name.parse().ok()?)).ok().flatten();
            let found = Group::from_name(name).ok().flatten();
            found
                .or_else(by_number)
                .map(|group| group.gid)
                .ok_or_else(|| IdentityError::Group(name.to_owned()))
        };
        let identity =
            Identity { user: user.map(find_user).transpose()?, group: group.map(find_group).transpose()? };
        let is_ours = identity.user.as_ref().is_none_or(|user| user.uid == Uid::effective())
            && identity.group.is_none_or(|group| group == Gid::effective());
        if is_ours {
            return Ok(None);
        }
        if !Uid::effective().is_root() {
            return Err(IdentityError::NotRoot);
        }
        Ok(Some(identity))
    }

    /// The group we are to have: the one asked for, or else the user's.
    fn gid(&self) -> Option<Gid> {
        self.group.or(self.user.as_ref().map(|user| user.gid))
    }

    /// Gives an open file to this identity.
    pub(crate) fn give(&self, file: impl AsFd) -> io::Result<()> {
        Ok(unistd::fchown(file, self.user.as_ref().map(|user| user.uid), self.gid())?)
    }

    /// Becomes it, for good. The process must have a single thread, because the system changes one at a time.
    pub(crate) fn assume(&self) -> io::Result<()> {
        if let Some(gid) = self.gid() {
            match &self.user {
                Some(user) => {
                    let name = std::ffi::CString::new(user.name.as_str())?;
                    unistd::initgroups(&name, gid)?;
                }
                None => unistd::setgroups(&[gid])?,
            }
            unistd::setresgid(gid, gid, gid)?;
        }
        if let Some(user) = &self.user {
            unistd::setresuid(user.uid, user.uid, user.uid)?;
            if !user.uid.is_root() && unistd::setuid(Uid::from_raw(0)) != Err(Errno::EPERM) {
                return Err(io::Error::other("root could be had again"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_looked_up() {
        let error = Identity::find(Some("no such user"), None).unwrap_err();
        assert_eq!(error.to_string(), "Invalid user 'no such user'");
        let error = Identity::find(None, Some("no such group")).unwrap_err();
        assert_eq!(error.to_string(), "Invalid group 'no such group'");
        assert_eq!(Identity::find(None, None).unwrap(), None);
        let own = Uid::effective().to_string();
        assert_eq!(Identity::find(Some(&own), None).unwrap(), None);
    }

    #[test]
    fn only_root_becomes_somebody_else() {
        let other = if Uid::effective().is_root() { "nobody" } else { "root" };
        match Identity::find(Some(other), None) {
            Ok(found) => assert!(Uid::effective().is_root() && found.is_some()),
            Err(error) => assert!(matches!(error, IdentityError::NotRoot), "{error}"),
        }
    }
}

//! An ssh server of the test's own: throw-away keys, a port of loopback, ended with the test.

use flow_testkit::conditions::{Needed, program};
use nix::unistd::{User, getuid};
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// The host's name for the client.
pub(crate) const COLLECTOR: &str = "user@collector";

const START_DEADLINE: Duration = Duration::from_secs(20);

/// Where root's server wants a directory that its package makes when the machine starts.
const PRIVILEGE_SEPARATION: &str = "/run/sshd";

/// The server, which stands outside of most people's path.
pub(crate) fn sshd() -> Needed<PathBuf> {
    let outside = Path::new("/usr/sbin/sshd");
    if outside.is_file() { Ok(outside.to_owned()) } else { program("sshd") }
}

/// A running server and a client that knows it.
pub(crate) struct Sshd {
    directory: tempfile::TempDir,
    client: PathBuf,
    server: Child,
    /// The connection that all lines go through.
    connection: Option<Child>,
}

impl Sshd {
    /// Starts a server whose commands run in `served`, with the programs there in front of the path and the clock at UTC.
    pub(crate) fn start(served: &Path) -> io::Result<Sshd> {
        let directory = tempfile::tempdir()?;
        let file = |name: &str| directory.path().join(name);
        for key in ["host", "user"] {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(file(key))
                .status()?;
            if !made.success() {
                return Err(io::Error::other("ssh-keygen failed"));
            }
        }
        if getuid().is_root() && !Path::new(PRIVILEGE_SEPARATION).exists() {
            DirBuilder::new().mode(0o755).recursive(true).create(PRIVILEGE_SEPARATION)?;
        }
        // What is called /usr/bin/nfdump on a collector's host is ours there.
        let serve = format!(
            "#!/bin/sh\ncd '{served}'\nexport TZ=UTC PATH='{served}':/usr/bin:/bin\nline=${{SSH_ORIGINAL_COMMAND#/usr/bin/nfdump }}\n\
             [ \"$line\" = \"$SSH_ORIGINAL_COMMAND\" ] || line=\"nfdump $line\"\nexec sh -c \"$line\"\n",
            served = served.display()
        );
        write_program(&file("serve"), &serve)?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let at = directory.path().display();
        // Another home, because the user's shell would run its start-up files, which may say or do anything.
        fs::write(
            file("server.conf"),
            format!(
                "Port {port}\nListenAddress 127.0.0.1\nHostKey {at}/host\nPidFile none\nAuthorizedKeysFile {at}/user.pub\n\
                 StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
                 PermitRootLogin prohibit-password\nForceCommand {at}/serve\nSetEnv HOME={at}\nLogLevel QUIET\n"
            ),
        )?;
        let user = User::from_uid(getuid())?.ok_or_else(|| io::Error::other("this user has no name"))?.name;
        fs::write(
            file("client.conf"),
            format!(
                "Host collector\nHostName 127.0.0.1\nPort {port}\nIdentityFile {at}/user\nIdentitiesOnly yes\n\
                 StrictHostKeyChecking no\nUserKnownHostsFile /dev/null\nBatchMode yes\nLogLevel ERROR\n\
                 ControlPath {at}/connection\n"
            ),
        )?;
        let client = file("client");
        fs::create_dir(&client)?;
        let server = sshd().map_err(io::Error::other)?;
        let server = Command::new(server)
            .args(["-D", "-f"])
            .arg(file("server.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
        let mut sshd = Sshd { directory, client, server, connection: None };
        // `user` stands for whoever runs the test.
        let ssh = format!(
            "#!/bin/sh\nshift\nexec /usr/bin/ssh -F '{}' -l '{user}' collector \"$@\"\n",
            sshd.directory.path().join("client.conf").display()
        );
        sshd.install("ssh", &ssh)?;
        sshd.wait(|| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok())?;
        let connection = Command::new("/usr/bin/ssh")
            .arg("-F")
            .arg(sshd.directory.path().join("client.conf"))
            .args(["-l", &user, "-M", "-N", "collector"])
            .stdin(Stdio::null())
            .spawn()?;
        sshd.connection = Some(connection);
        let socket = sshd.directory.path().join("connection");
        sshd.wait(|| socket.exists())?;
        Ok(sshd)
    }

    /// The directory with the client's programs, `ssh` among them.
    pub(crate) fn client(&self) -> &Path {
        &self.client
    }

    /// Puts a program beside the client's.
    pub(crate) fn install(&self, name: &str, text: &str) -> io::Result<()> {
        write_program(&self.client.join(name), text)
    }

    fn wait(&mut self, mut ready: impl FnMut() -> bool) -> io::Result<()> {
        let started = Instant::now();
        while !ready() {
            if let Some(status) = self.server.try_wait()? {
                return Err(io::Error::other(format!("sshd ended: {status}")));
            }
            if started.elapsed() > START_DEADLINE {
                return Err(io::Error::other("sshd does not answer"));
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        for child in self.connection.iter_mut().chain([&mut self.server]) {
            // One that has ended needs no end.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn write_program(path: &Path, text: &str) -> io::Result<()> {
    fs::write(path, text)?;
    fs::set_permissions(path, Permissions::from_mode(0o755))
}

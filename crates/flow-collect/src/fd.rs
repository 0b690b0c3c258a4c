//! Sockets that a service manager has opened for us (`sd_listen_fds(3)`).
//!
//! The second place of the crate with unsafe code: a number from the environment becomes a socket.

use std::net::UdpSocket;
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::socket::{SockType, getsockopt, sockopt};

/// Whether they have been taken: each number is used once.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The UDP sockets among those that were handed to this process, the first time; none afterwards, and in a process that
/// was not started with any.
pub(crate) fn inherited_sockets() -> Vec<UdpSocket> {
    if TAKEN.swap(true, Ordering::Relaxed) {
        return Vec::new();
    }
    let Ok(numbers) = sd_notify::listen_fds() else { return Vec::new() };
    numbers.filter_map(inherited_socket).collect()
}

fn inherited_socket(number: RawFd) -> Option<UdpSocket> {
    // SAFETY: it is only looked at, in this line, and may be closed or something else altogether: the call then fails.
    // `listen_fds` gives numbers from 3 on, so that it is never -1, which is no descriptor.
    #[expect(unsafe_code, reason = "there is no safe way to a descriptor by its number")]
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    if getsockopt(&borrowed, sockopt::SockType) != Ok(SockType::Datagram) {
        return None;
    }
    // A duplicate is ours beyond doubt, whoever else may think that he has the first.
    let owned: OwnedFd = borrowed.try_clone_to_owned().ok()?;
    let socket = UdpSocket::from(owned);
    // A datagram socket of another family is none for us.
    socket.local_addr().is_ok().then_some(socket)
}

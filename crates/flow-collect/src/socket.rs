//! The socket datagrams arrive at.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::os::fd::AsRawFd;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::socket::{getsockopt, setsockopt, sockopt};
use socket2::{Domain, Protocol, Socket, Type};

use crate::process::with_patience;

/// The receive buffer asked for unless told otherwise: at 1,400 octets a datagram, which the kernel charges
/// with about 2,300, it holds some 14,000 datagrams, half a million flows. The kernel grants less when
/// `net.core.rmem_max` is lower and we are not privileged.
pub(crate) const DEFAULT_RECEIVE_BUFFER: usize = 32 << 20;

/// nfcapd raises smaller buffers to this.
pub(crate) const MIN_RECEIVE_BUFFER: usize = 65_536;

/// Where service names are, for `-p`.
const SERVICES: &str = "/etc/services";

/// Which address family to listen with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Family {
    /// IPv4, or that of the bind address.
    #[default]
    Unspecified,
    /// IPv4.
    V4,
    /// IPv6, which takes IPv4 too unless the system is set up otherwise (`net.ipv6.bindv6only`).
    V6,
}

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Address or name to bind to; any address if `None`.
    pub host: Option<String>,
    /// Multicast group to join and bind to, instead of a host.
    pub group: Option<IpAddr>,
    /// Port number or service name.
    pub port: String,
    /// Address family.
    pub family: Family,
    /// Octets of the socket's receive buffer; as large as allowed if `None`.
    pub receive_buffer: Option<usize>,
}

/// Why we cannot listen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// A name or a service that does not exist.
    #[error("getaddrinfo error: [{0}]")]
    Resolve(String),
    /// A port that does not exist.
    #[error("port {0} is not in the range 1 .. 65535")]
    PortRange(u64),
    /// The system refuses to bind.
    #[error("Could not open the requested socket: {0}")]
    Bind(&'static str),
    /// The system refuses to join a multicast group.
    #[error("Could not join multicast group {group}: {reason}")]
    Join {
        /// The group.
        group: IpAddr,
        /// Why.
        reason: &'static str,
    },
}

/// A bound socket.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) socket: UdpSocket,
    host: Option<String>,
    group: Option<IpAddr>,
    port: u16,
    requested_buffer: usize,
    granted_buffer: usize,
}

impl Listener {
    /// Binds; when the port is busy, waits a moment for a predecessor to end.
    pub(crate) fn open(listen: &Listen) -> Result<Listener, ListenError> {
        let port = port_number(&listen.port)?;
        let address = resolve(listen, port)?;
        let socket = with_patience(|| bind(address), |error| error.kind() == io::ErrorKind::AddrInUse)
            .map_err(|error| ListenError::Bind(reason(&error)))?;
        if let Some(group) = listen.group {
            join(&socket, group).map_err(|error| ListenError::Join { group, reason: reason(&error) })?;
        }
        let requested_buffer =
            listen.receive_buffer.map_or(DEFAULT_RECEIVE_BUFFER, |buffer| buffer.max(MIN_RECEIVE_BUFFER));
        let granted_buffer = enlarge(&socket, requested_buffer);
        let (host, group) = (listen.host.clone(), listen.group);
        Ok(Listener { socket, host, group, port, requested_buffer, granted_buffer })
    }

    /// Takes a socket that somebody else has bound. What it is bound to is its host.
    pub(crate) fn inherited(socket: UdpSocket, receive_buffer: Option<usize>) -> Listener {
        let address = socket.local_addr().ok();
        let host = address.map(|address| address.ip()).filter(|ip| !ip.is_unspecified());
        let requested_buffer =
            receive_buffer.map_or(DEFAULT_RECEIVE_BUFFER, |buffer| buffer.max(MIN_RECEIVE_BUFFER));
        let granted_buffer = enlarge(&socket, requested_buffer);
        let port = address.map_or(0, |address| address.port());
        let host = host.map(|ip| ip.to_string());
        Listener { socket, host, group: None, port, requested_buffer, granted_buffer }
    }

    /// `Bound to IPv4 host/IP: any, Port: 9995`, or which group was joined.
    pub(crate) fn bound_line(&self) -> String {
        let family = if self.socket.local_addr().is_ok_and(|address| address.is_ipv6()) { 6 } else { 4 };
        if let Some(group) = self.group {
            return format!("Joined IPv{family} multicast group: {group} Port: {}", self.port);
        }
        let host = self.host.as_deref().unwrap_or("any");
        format!("Bound to IPv{family} host/IP: {host}, Port: {}", self.port)
    }

    /// The port, and its receive buffer as asked for and as granted, in octets.
    pub(crate) fn buffer(&self) -> (u16, usize, usize) {
        (self.port, self.requested_buffer, self.granted_buffer)
    }

    /// What was asked for and what was given, if that is less.
    pub(crate) fn buffer_line(&self) -> Option<String> {
        let (requested, granted) = (self.requested_buffer, self.granted_buffer);
        (granted < requested).then(|| {
            format!(
                "Receive buffer: {granted} octets of {requested} requested; to allow more: sysctl -w net.core.rmem_max={requested}"
            )
        })
    }
}

fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// Joins a group on the interface that the system finds right for it.
fn join(socket: &UdpSocket, group: IpAddr) -> io::Result<()> {
    match group {
        IpAddr::V4(group) => socket.join_multicast_v4(&group, &Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(group) => socket.join_multicast_v6(&group, 0),
    }
}

/// In the words of the C library.
fn reason(error: &io::Error) -> &'static str {
    Errno::from_raw(error.raw_os_error().unwrap_or(0)).desc()
}

/// Sets the receive buffer, beyond the system's limit where we may. Returns what there is, in the same measure:
/// the kernel doubles the number to account for its own needs.
fn enlarge(socket: &UdpSocket, octets: usize) -> usize {
    if setsockopt(socket, sockopt::RcvBufForce, &octets).is_err() {
        // What comes of it is read back below, and logged when it is less.
        let _ = setsockopt(socket, sockopt::RcvBuf, &octets);
    }
    getsockopt(socket, sockopt::RcvBuf).map_or(0, |doubled| doubled / 2)
}

fn port_number(port: &str) -> Result<u16, ListenError> {
    if let Ok(number) = port.parse::<u64>() {
        return u16::try_from(number).ok().filter(|&port| port != 0).ok_or(ListenError::PortRange(number));
    }
    let services = fs::read_to_string(SERVICES).unwrap_or_default();
    service_port(&services, port)
        .ok_or_else(|| ListenError::Resolve("Servname not supported for ai_socktype".to_owned()))
}

/// The UDP port of a service in the format of services(5), by name or alias.
fn service_port(services: &str, name: &str) -> Option<u16> {
    services.lines().find_map(|line| {
        let mut words = line.split('#').next()?.split_whitespace();
        let first = words.next()?;
        let port = words.next()?.strip_suffix("/udp")?.parse().ok()?;
        (first == name || words.any(|alias| alias == name)).then_some(port)
    })
}

fn resolve(listen: &Listen, port: u16) -> Result<SocketAddr, ListenError> {
    if let Some(group) = listen.group {
        return Ok(SocketAddr::new(group, port));
    }
    let Some(host) = &listen.host else {
        let any: IpAddr = match listen.family {
            Family::V6 => Ipv6Addr::UNSPECIFIED.into(),
            Family::V4 | Family::Unspecified => Ipv4Addr::UNSPECIFIED.into(),
        };
        return Ok(SocketAddr::new(any, port));
    };
    let found: Vec<SocketAddr> = (host.as_str(), port)
        .to_socket_addrs()
        .map_err(|error| {
            let text = error.to_string();
            let reason = text.strip_prefix("failed to lookup address information: ").unwrap_or(&text);
            ListenError::Resolve(reason.to_owned())
        })?
        .collect();
    let first = |v6: bool| found.iter().find(|address| address.is_ipv6() == v6).copied();
    match listen.family {
        Family::V4 => first(false),
        Family::V6 => first(true),
        Family::Unspecified => first(false).or(first(true)),
    }
    .ok_or_else(|| ListenError::Resolve("Address family for hostname not supported".to_owned()))
}

/// How many datagrams the kernel dropped because a socket's buffer was full, from `/proc/net/udp`.
///
/// (The control message `SO_RXQ_OVFL` tells the same number, but only with the next datagram, and reusing
/// receive headers with it is not possible with nix.)
#[derive(Debug)]
pub(crate) struct KernelDrops {
    inode: Option<u64>,
    /// What the kernel's counter, 32 bits wide, said last.
    last: u32,
}

impl KernelDrops {
    pub(crate) fn of(socket: &UdpSocket) -> KernelDrops {
        let link = fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd())).ok();
        let inode = link
            .as_deref()
            .and_then(Path::to_str)
            .and_then(|name| name.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok());
        let mut drops = KernelDrops { inode, last: 0 };
        drops.take();
        drops
    }

    /// Drops since the last call.
    pub(crate) fn take(&mut self) -> u64 {
        let Some(inode) = self.inode else { return 0 };
        let now = ["/proc/self/net/udp", "/proc/self/net/udp6"]
            .iter()
            .filter_map(|table| fs::read_to_string(table).ok())
            .find_map(|table| drops_of(&table, inode));
        let Some(now) = now else { return 0 };
        let since = now.wrapping_sub(self.last);
        self.last = now;
        u64::from(since)
    }
}

/// The last column of the line with an inode; the inode is the tenth.
fn drops_of(table: &str, inode: u64) -> Option<u32> {
    table.lines().skip(1).find_map(|line| {
        let mut columns = line.split_whitespace().skip(9);
        if columns.next()?.parse() != Ok(inode) {
            return None;
        }
        // Printed as signed by some kernels.
        columns.last()?.parse::<i64>().ok().map(|drops| drops as u32)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listen(host: Option<&str>, port: &str, family: Family) -> Listen {
        let (host, port) = (host.map(str::to_owned), port.to_owned());
        Listen { host, group: None, port, family, receive_buffer: None }
    }

    fn free_port() -> u16 {
        UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
    }

    #[test]
    fn binds_where_it_is_told() {
        let port = free_port();
        let listener = Listener::open(&listen(Some("127.0.0.1"), &port.to_string(), Family::V4)).unwrap();
        assert_eq!(listener.socket.local_addr().unwrap(), SocketAddr::from(([127, 0, 0, 1], port)));
        assert_eq!(listener.bound_line(), format!("Bound to IPv4 host/IP: 127.0.0.1, Port: {port}"));
        let port = free_port();
        let listener = Listener::open(&listen(None, &port.to_string(), Family::Unspecified)).unwrap();
        assert_eq!(listener.bound_line(), format!("Bound to IPv4 host/IP: any, Port: {port}"));
        assert!(listener.granted_buffer >= MIN_RECEIVE_BUFFER);
    }

    #[test]
    fn a_group_is_joined_and_heard() {
        let port = free_port();
        let group: IpAddr = "239.255.12.34".parse().unwrap();
        let listen = Listen { group: Some(group), ..listen(None, &port.to_string(), Family::Unspecified) };
        let listener = match Listener::open(&listen) {
            Ok(listener) => listener,
            // A machine without any multicast route.
            Err(ListenError::Join { reason: "No such device" | "Network is unreachable", .. }) => return,
            Err(error) => panic!("{error}"),
        };
        assert_eq!(listener.bound_line(), format!("Joined IPv4 multicast group: 239.255.12.34 Port: {port}"));
        let sender = UdpSocket::bind("0.0.0.0:0").unwrap();
        sender.send_to(b"flow", (group, port)).unwrap();
        listener.socket.set_nonblocking(false).unwrap();
        listener.socket.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
        let mut octets = [0; 8];
        assert_eq!(listener.socket.recv(&mut octets).unwrap(), 4);
        let none = Listen { group: Some("192.0.2.1".parse().unwrap()), ..listen };
        assert!(matches!(Listener::open(&none), Err(ListenError::Bind(_))));
    }

    #[test]
    fn errors_read_like_nfcapds() {
        let error = |host, port, family| Listener::open(&listen(host, port, family)).unwrap_err().to_string();
        let refused = error(Some("192.0.2.1"), "9995", Family::V4);
        assert_eq!(refused, "Could not open the requested socket: Cannot assign requested address");
        let unknown = error(None, "no-such-service", Family::V4);
        assert_eq!(unknown, "getaddrinfo error: [Servname not supported for ai_socktype]");
        assert_eq!(error(None, "0", Family::V4), "port 0 is not in the range 1 .. 65535");
        assert_eq!(error(None, "99999", Family::V4), "port 99999 is not in the range 1 .. 65535");
        let mixed = error(Some("127.0.0.1"), "9995", Family::V6);
        assert_eq!(mixed, "getaddrinfo error: [Address family for hostname not supported]");

        let busy = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = busy.local_addr().unwrap().port().to_string();
        let taken = error(Some("127.0.0.1"), &port, Family::V4);
        assert_eq!(taken, "Could not open the requested socket: Address already in use");
    }

    #[test]
    fn finds_services_by_name_and_alias() {
        let services =
            "# comment\nntp\t123/tcp\nntp 123/udp # time\nipfix  4739/tcp\nipfix  4739/udp  flows\n";
        assert_eq!(service_port(services, "ntp"), Some(123));
        assert_eq!(service_port(services, "flows"), Some(4739));
        assert_eq!(service_port(services, "time"), None);
    }

    #[test]
    fn counts_what_the_kernel_dropped() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut drops = KernelDrops::of(&socket);
        assert!(drops.inode.is_some());
        setsockopt(&socket, sockopt::RcvBuf, &4096).unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..500 {
            sender.send_to(&[0; 1000], socket.local_addr().unwrap()).unwrap();
        }
        socket.set_nonblocking(true).unwrap();
        let mut received = 0;
        while socket.recv(&mut [0; 2000]).is_ok() {
            received += 1;
        }
        assert!(received < 500);
        assert_eq!(drops.take(), 500 - received);
        assert_eq!(drops.take(), 0);
    }

    #[test]
    fn reads_the_drop_counter_of_an_inode() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n\
            318: 0100007F:2710 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4711 2 0000000000000000 12\n\
            320: 0100007F:2711 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4712 2 0000000000000000 -1\n";
        assert_eq!(drops_of(table, 4711), Some(12));
        assert_eq!(drops_of(table, 4712), Some(u32::MAX));
        assert_eq!(drops_of(table, 12), None);
    }
}

//! `-R`: every datagram once more, to other collectors.
//!
//! The decoder hands its batches on when it is done with them, so that nothing is copied and nobody waits: when the queue
//! is full, a batch goes back to the receiver, and what was not repeated is counted.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};

use nix::errno::Errno;
use socket2::{Domain, Protocol, Socket, Type};

use crate::counters::{Counters, count};
use crate::log::Log;
use crate::receive::{DatagramBatch, Recycler};

/// Batches that may wait to be repeated.
pub(crate) const QUEUE_LEN: usize = 64;

/// nfcapd's default.
const DEFAULT_PORT: u16 = 9995;

/// nfcapd's limit.
pub const MAX_REPEAT_TARGETS: usize = 8;

const UDP: u8 = 17;
const UDP_HEADER_LEN: usize = 8;
const IPV4_HEADER_LEN: usize = 20;

/// Where datagrams are repeated to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepeatTarget {
    /// Address or name.
    pub host: String,
    /// UDP port.
    pub port: u16,
}

/// Why datagrams cannot be repeated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RepeatError {
    /// Nothing that could be a host.
    #[error("-R takes HOST or HOST/PORT, not `{0}`")]
    Syntax(String),
    /// There is no such host.
    #[error("getaddrinfo() error: {0}")]
    Resolve(String),
    /// It is this collector.
    #[error("-R {0}: this is where we listen")]
    Ourselves(RepeatTarget),
    /// The system refuses.
    #[error("-R {target}: {source}")]
    System {
        /// The target.
        target: RepeatTarget,
        /// Why.
        source: io::Error,
    },
}

impl std::str::FromStr for RepeatTarget {
    type Err = RepeatError;

    fn from_str(text: &str) -> Result<Self, RepeatError> {
        let (host, port) = match text.rsplit_once('/') {
            Some((host, port)) => (host, port.parse().ok().filter(|&port| port != 0)),
            None => (text, Some(DEFAULT_PORT)),
        };
        match port {
            Some(port) if !host.is_empty() => Ok(RepeatTarget { host: host.to_owned(), port }),
            _ => Err(RepeatError::Syntax(text.to_owned())),
        }
    }
}

impl fmt::Display for RepeatTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.port)
    }
}

/// Sockets for repeating, opened while we may.
#[derive(Debug, Default)]
pub(crate) struct Repeater {
    ways: Vec<Way>,
}

/// The way to one target.
#[derive(Debug)]
struct Way {
    target: RepeatTarget,
    address: SocketAddr,
    /// Sends with our own address.
    plain: UdpSocket,
    /// Sends with the exporter's; only who may make packets of his own has one.
    raw: Option<Socket>,
}

/// The decoder's end of the queue.
#[derive(Debug)]
pub(crate) struct RepeatOutlet {
    queue: SyncSender<DatagramBatch>,
    counters: Arc<Counters>,
    targets: u64,
}

impl Repeater {
    /// Resolves and opens what is needed. `own` are the addresses we listen at.
    pub(crate) fn open(targets: &[RepeatTarget], own: &[SocketAddr]) -> Result<Repeater, RepeatError> {
        let ways = targets.iter().map(|target| Way::open(target.clone(), own)).collect::<Result<_, _>>()?;
        Ok(Repeater { ways })
    }

    /// Whether there is nobody to repeat to.
    pub(crate) fn is_empty(&self) -> bool {
        self.ways.is_empty()
    }

    /// What is done for each target.
    pub(crate) fn lines(&self) -> impl Iterator<Item = String> {
        self.ways.iter().map(|way| {
            let from = if way.raw.is_some() {
                "with the exporters' addresses"
            } else {
                "with our own address (theirs need CAP_NET_RAW)"
            };
            format!("Repeat datagrams to {} {from}", way.target)
        })
    }

    /// A queue to it.
    pub(crate) fn queue(&self, counters: &Arc<Counters>) -> (RepeatOutlet, Receiver<DatagramBatch>) {
        let (queue, batches) = mpsc::sync_channel(QUEUE_LEN);
        let targets = self.ways.len() as u64;
        (RepeatOutlet { queue, counters: Arc::clone(counters), targets }, batches)
    }

    /// Repeats until the decoder has gone.
    pub(crate) fn run(
        self,
        batches: &Receiver<DatagramBatch>,
        recycler: &Recycler,
        counters: &Counters,
        log: &Log,
    ) {
        let mut packet = Vec::new();
        let mut complained = vec![false; self.ways.len()];
        for batch in batches {
            for datagram in batch.iter() {
                for (way, complained) in self.ways.iter().zip(&mut complained) {
                    match way.send(datagram.from, datagram.payload, &mut packet) {
                        Ok(()) => count(&counters.repeated, 1),
                        Err(error) => {
                            count(&counters.repeat_losses, 1);
                            if !std::mem::replace(complained, true) {
                                let target = &way.target;
                                log.error(format_args!("Repeat to {target}: {error}; more are counted only"));
                            }
                        }
                    }
                }
            }
            recycler.recycle(batch);
        }
    }
}

impl RepeatOutlet {
    /// Hands a batch on, or gives it back.
    pub(crate) fn offer(&self, batch: DatagramBatch, recycler: &Recycler) {
        if let Err(TrySendError::Full(batch) | TrySendError::Disconnected(batch)) = self.queue.try_send(batch)
        {
            count(&self.counters.repeat_losses, batch.len() as u64 * self.targets);
            recycler.recycle(batch);
        }
    }
}

impl Way {
    fn open(target: RepeatTarget, own: &[SocketAddr]) -> Result<Way, RepeatError> {
        let found = (target.host.as_str(), target.port).to_socket_addrs();
        let address = found.ok().and_then(|mut found| found.next());
        let address = address.ok_or_else(|| RepeatError::Resolve("Name or service not known".to_owned()))?;
        if own.iter().any(|own| is_same(*own, address)) {
            return Err(RepeatError::Ourselves(target));
        }
        let any: IpAddr =
            if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let plain = UdpSocket::bind((any, 0)).and_then(|socket| {
            socket.set_nonblocking(true)?;
            Ok(socket)
        });
        let plain = plain.map_err(|source| RepeatError::System { target: target.clone(), source })?;
        // IPPROTO_RAW: packets with their headers.
        let raw = Socket::new(Domain::for_address(address), Type::RAW, Some(Protocol::from(255)))
            .and_then(|socket| {
                socket.set_nonblocking(true)?;
                Ok(socket)
            })
            .ok();
        Ok(Way { target, address, plain, raw })
    }

    /// Sends a datagram as from `from` where that is possible, else as ours.
    fn send(&self, from: SocketAddr, payload: &[u8], packet: &mut Vec<u8>) -> io::Result<()> {
        if let Some(raw) = &self.raw
            && write_packet(packet, from, self.address, payload)
        {
            let to = SocketAddr::new(self.address.ip(), 0);
            match raw.send_to(packet, &to.into()) {
                Ok(_) => return Ok(()),
                // Too large for the path, which only the kernel can cut, or an address that may not leave this machine.
                Err(error) if is_refused(&error) => {}
                Err(error) => return Err(error),
            }
        }
        self.plain.send_to(payload, self.address).map(|_| ())
    }
}

/// Whether the packet was not to the system's taste.
fn is_refused(error: &io::Error) -> bool {
    let refused = [Errno::EMSGSIZE, Errno::EINVAL, Errno::EPERM, Errno::EADDRNOTAVAIL];
    error.raw_os_error().is_some_and(|code| refused.contains(&Errno::from_raw(code)))
}

/// Whether what is sent to `target` arrives at our socket bound to `own`.
fn is_same(own: SocketAddr, target: SocketAddr) -> bool {
    let (own_ip, target_ip) = (own.ip().to_canonical(), target.ip().to_canonical());
    let is_local = || UdpSocket::bind((target_ip, 0)).is_ok();
    own.port() == target.port() && (own_ip == target_ip || (own_ip.is_unspecified() && is_local()))
}

/// A packet with IP (RFC 791, RFC 8200) and UDP (RFC 768) header; `false` when there is none from such an address.
fn write_packet(packet: &mut Vec<u8>, from: SocketAddr, to: SocketAddr, payload: &[u8]) -> bool {
    packet.clear();
    let udp_len = UDP_HEADER_LEN + payload.len();
    let Ok(udp_len16) = u16::try_from(udp_len) else { return false };
    // The parts of the pseudo header that both families have.
    let mut sum = u32::from(UDP) + u32::from(udp_len16);
    match (from.ip(), to.ip()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let Ok(len) = u16::try_from(IPV4_HEADER_LEN + udp_len) else { return false };
            packet.extend([0x45, 0]);
            packet.extend(len.to_be_bytes());
            // Identification and checksum are filled in by the kernel.
            packet.extend([0, 0, 0, 0, 64, UDP, 0, 0]);
            packet.extend(source.octets());
            packet.extend(destination.octets());
            sum += words(&source.octets()) + words(&destination.octets());
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            packet.extend([0x60, 0, 0, 0]);
            packet.extend(udp_len16.to_be_bytes());
            packet.extend([UDP, 64]);
            packet.extend(source.octets());
            packet.extend(destination.octets());
            sum += words(&source.octets()) + words(&destination.octets());
        }
        _ => return false,
    }
    let ports = [from.port(), to.port(), udp_len16];
    sum += ports.iter().map(|&word| u32::from(word)).sum::<u32>() + words(payload);
    packet.extend(ports.iter().flat_map(|word| word.to_be_bytes()));
    packet.extend(checksum(sum).to_be_bytes());
    packet.extend_from_slice(payload);
    true
}

/// The sum of 16-bit words; at most 32,768 of them, so that it cannot overflow.
fn words(octets: &[u8]) -> u32 {
    let word = |pair: &[u8]| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
    octets.chunks(2).map(word).sum()
}

/// RFC 768: the complement of the one's complement sum; 0 is sent as all ones, because 0 means none.
fn checksum(mut sum: u32) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    match !(sum as u16) {
        0 => 0xffff,
        checksum => checksum,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receive::{Datagram, queue};
    use std::sync::atomic::Ordering;

    #[test]
    fn targets_have_hosts_and_ports() {
        let target = |text: &str| text.parse::<RepeatTarget>().map(|target| target.to_string()).ok();
        assert_eq!(target("192.0.2.1").as_deref(), Some("192.0.2.1/9995"));
        assert_eq!(target("::1/2055").as_deref(), Some("::1/2055"));
        for wrong in ["", "/1", "host/", "host/0", "host/65536", "host/x"] {
            assert_eq!(target(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn packets_have_right_checksums() {
        // Verified as a receiver does: with its checksum in it, the sum is all ones.
        for (from, to) in
            [("192.0.2.9:4711", "198.51.100.1:9995"), ("[2001:db8::9]:4711", "[2001:db8::1]:9995")]
        {
            let (from, to): (SocketAddr, SocketAddr) = (from.parse().unwrap(), to.parse().unwrap());
            for payload in [&b""[..], b"x", b"odd", b"even"] {
                let mut packet = Vec::new();
                assert!(write_packet(&mut packet, from, to, payload));
                let (header_len, addresses) = if from.is_ipv4() { (20, 12..20) } else { (40, 8..40) };
                let udp = &packet[header_len..];
                assert_eq!(udp.len(), 8 + payload.len());
                let mut sum = words(&packet[addresses]) + words(udp) + u32::from(UDP) + udp.len() as u32;
                while sum > 0xffff {
                    sum = (sum & 0xffff) + (sum >> 16);
                }
                assert_eq!(sum, 0xffff, "{from} {payload:?}");
            }
            assert!(!write_packet(&mut Vec::new(), from, to, &vec![0; 65_530]));
        }
        let (v4, v6) = ("192.0.2.9:1".parse().unwrap(), "[::1]:1".parse().unwrap());
        assert!(!write_packet(&mut Vec::new(), v4, v6, b""));
    }

    #[test]
    fn repeating_to_ourselves_is_refused() {
        let own = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let any = SocketAddr::from(([0, 0, 0, 0], own.port()));
        let target: RepeatTarget = format!("127.0.0.1/{}", own.port()).parse().unwrap();
        for own in [own, any] {
            let error = Repeater::open(std::slice::from_ref(&target), &[own]).unwrap_err();
            assert_eq!(error.to_string(), format!("-R {target}: this is where we listen"));
        }
        let elsewhere: RepeatTarget = format!("192.0.2.1/{}", own.port()).parse().unwrap();
        assert!(Repeater::open(&[elsewhere], &[any]).is_ok());
    }

    #[test]
    fn what_is_too_much_is_counted_and_the_batch_comes_back() {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        let target = format!("127.0.0.1/{}", receiver.local_addr().unwrap().port()).parse().unwrap();
        let repeater = Repeater::open(&[target], &[]).unwrap();
        let counters = Arc::new(Counters::default());
        let (outlet, batches) = repeater.queue(&counters);
        let (_outlet, inlet) = queue();
        let recycler = inlet.recycler();
        let batch = || {
            let mut batch = DatagramBatch::default();
            for payload in [b"a", b"b"] {
                batch.push(Datagram { from: "127.0.0.1:4711".parse().unwrap(), received_ms: 0, payload });
            }
            batch
        };
        for _ in 0..QUEUE_LEN + 3 {
            outlet.offer(batch(), &recycler);
        }
        assert_eq!(counters.repeat_losses.load(Ordering::Relaxed), 6);
        drop(outlet);
        repeater.run(&batches, &recycler, &counters, &Log::to_memory());
        assert_eq!(counters.repeated.load(Ordering::Relaxed), 2 * QUEUE_LEN as u64);
        receiver.set_nonblocking(true).unwrap();
        let mut heard = Vec::new();
        while let Ok((_, from)) = receiver.recv_from(&mut [0; 10]) {
            heard.push(from.ip());
        }
        assert_eq!(heard.len(), 2 * QUEUE_LEN);
        assert!(heard.iter().all(|from| *from == Ipv4Addr::LOCALHOST));
    }
}

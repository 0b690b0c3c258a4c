//! Sending datagrams over loopback.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use super::export::Datagram;

/// A capture with more exporters is refused: each needs a socket of its own.
const MAX_SOCKETS: usize = 512;

/// Sends datagrams to a collector on this machine, each from the address of its exporter, at an even pace.
#[derive(Debug)]
pub struct Sender {
    to: SocketAddr,
    pace: Option<Duration>,
    due: Instant,
    sockets: HashMap<SocketAddr, UdpSocket>,
}

impl Sender {
    /// A sender to `to`, as fast as the machine can or with the given number of datagrams a second.
    ///
    /// # Errors
    ///
    /// When `to` is not a loopback address: test traffic must not leave the machine.
    pub fn new(to: SocketAddr, per_second: Option<f64>) -> io::Result<Self> {
        if !to.ip().is_loopback() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{to} is not on loopback")));
        }
        let pace = per_second.filter(|rate| *rate > 0.0).map(|rate| Duration::from_secs_f64(1.0 / rate));
        Ok(Self { to, pace, due: Instant::now(), sockets: HashMap::new() })
    }

    /// Sends one datagram when its time has come. An exporter keeps its address (any of 127.0.0.0/8 can be bound) and
    /// gets a port of its own.
    ///
    /// # Errors
    ///
    /// When its address is not on loopback or of the other family, there are too many exporters, or sending fails.
    pub fn send(&mut self, datagram: &Datagram) -> io::Result<()> {
        if let Some(pace) = self.pace {
            self.due += pace;
            let now = Instant::now();
            if self.due > now + SLEEP_FROM {
                thread::sleep(self.due - now);
            } else if self.due + CATCH_UP < now {
                self.due = now;
            }
        }
        let to = self.to;
        let sent = self.socket(datagram.from)?.send_to(&datagram.payload, to)?;
        debug_assert_eq!(sent, datagram.payload.len());
        Ok(())
    }

    fn socket(&mut self, from: SocketAddr) -> io::Result<&UdpSocket> {
        if !self.sockets.contains_key(&from) {
            if !from.ip().is_loopback() || self.sockets.len() >= MAX_SOCKETS {
                let message = format!("cannot send as {from}: not on loopback, or too many exporters");
                return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
            }
            self.sockets.insert(from, UdpSocket::bind((from.ip(), 0))?);
        }
        self.sockets.get(&from).ok_or_else(|| io::Error::other("the socket was just inserted"))
    }
}

/// Shorter waits are saved up: a sleep takes at least some 50 microseconds.
const SLEEP_FROM: Duration = Duration::from_micros(500);
/// A sender that fell further behind goes on from now, instead of sending a burst.
const CATCH_UP: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_exporters_address() {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        receiver.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let mut sender = Sender::new(receiver.local_addr().unwrap(), Some(1000.0)).unwrap();
        let datagram =
            Datagram { sent_ms: 0, from: "127.7.8.9:40001".parse().unwrap(), payload: vec![1, 2, 3] };
        sender.send(&datagram).unwrap();
        let mut buffer = [0; 16];
        let (len, from) = receiver.recv_from(&mut buffer).unwrap();
        assert_eq!((&buffer[..len], from.ip()), (&[1u8, 2, 3][..], "127.7.8.9".parse().unwrap()));
    }

    #[test]
    fn nothing_leaves_the_machine() {
        assert!(Sender::new("192.0.2.1:9995".parse().unwrap(), None).is_err());
        let mut sender = Sender::new("127.0.0.1:9".parse().unwrap(), None).unwrap();
        let datagram = Datagram { sent_ms: 0, from: "192.0.2.1:1".parse().unwrap(), payload: vec![0] };
        assert!(sender.send(&datagram).is_err());
    }
}

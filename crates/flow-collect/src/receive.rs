//! The receive thread: takes datagrams from the kernel and hands them over in batches.
//!
//! It does nothing else, and waits for nothing but the socket, with one exception: when the decoder is so far
//! behind that the queue is full, it leaves datagrams in the socket's buffer, which is the largest and the
//! only queue whose overflow the kernel counts exactly.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, getsockopt, recvmmsg, sockopt};

/// Datagrams per system call. More gain nothing: the cost of the call is spread thin already.
const PER_CALL: usize = 64;

/// The longest UDP payload; on loopback and jumbo paths they occur.
const MAX_DATAGRAM_LEN: usize = 65_535;

/// A batch is handed over when it has this many octets, at the latest.
const BATCH_LEN: usize = 256 << 10;

/// Batches in the queue between receiver and decoder: up to about 40 MB, a second of the rate that one
/// decoder manages.
pub(crate) const QUEUE_LEN: usize = 128;

/// How long datagrams may wait for company before they are handed to a busy decoder.
const MAX_DELAY_MS: u16 = 5;

/// The longest pause between a datagram's arrival and its taking. At 100,000 flows a second, 25 datagrams then cost what
/// one did: two changes of thread.
const LONGEST_PAUSE: Duration = Duration::from_millis(8);

/// Shorter ones gather too little to be worth a timer.
const SHORTEST_PAUSE: Duration = Duration::from_micros(200);

/// What a buffer must hold of every microsecond of the pause: more than the kernel charges for what a line of 4 Gbit/s can
/// bring.
const OCTETS_PER_MICROSECOND: u64 = 1000;

/// Most datagrams taken from the kernel after the order to stop: all that fit the largest usual buffer.
const MAX_DRAINED: usize = 1 << 20;

/// Errors that pass: nothing is there, a signal came, an ICMP error about something we never sent, or the kernel
/// is short of memory.
const PASSING: [Errno; 5] = [Errno::EAGAIN, Errno::EINTR, Errno::ECONNREFUSED, Errno::ENOMEM, Errno::ENOBUFS];

/// Datagrams, one behind another.
#[derive(Debug, Default)]
pub(crate) struct DatagramBatch {
    octets: Vec<u8>,
    items: Vec<Item>,
}

#[derive(Clone, Copy, Debug)]
struct Item {
    end: usize,
    from: SocketAddr,
    received_ms: u64,
}

/// A datagram of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Datagram<'a> {
    pub(crate) from: SocketAddr,
    pub(crate) received_ms: u64,
    pub(crate) payload: &'a [u8],
}

impl DatagramBatch {
    pub(crate) fn push(&mut self, datagram: Datagram<'_>) {
        self.octets.extend_from_slice(datagram.payload);
        let Datagram { from, received_ms, .. } = datagram;
        self.items.push(Item { end: self.octets.len(), from, received_ms });
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Datagram<'_>> {
        let mut start = 0;
        self.items.iter().map(move |item| {
            let payload = &self.octets[start..item.end];
            start = item.end;
            Datagram { from: item.from, received_ms: item.received_ms, payload }
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Datagrams in it.
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    fn is_full(&self) -> bool {
        self.octets.len() >= BATCH_LEN || self.items.len() >= BATCH_LEN / 64
    }

    fn clear(&mut self) {
        self.octets.clear();
        self.items.clear();
    }
}

/// Makes the queue between receiver and decoder. The second half of each keeps used batches going round.
pub(crate) fn queue() -> (Outlet, Inlet) {
    let (full, filled) = mpsc::sync_channel(QUEUE_LEN);
    let (empty, emptied) = mpsc::sync_channel(QUEUE_LEN);
    let waiting = Arc::new(AtomicUsize::new(0));
    (
        Outlet { full, emptied, waiting: Arc::clone(&waiting) },
        Inlet { filled, recycler: Recycler { empty }, waiting },
    )
}

/// The receiver's end of the queue.
#[derive(Debug)]
pub(crate) struct Outlet {
    full: SyncSender<DatagramBatch>,
    emptied: Receiver<DatagramBatch>,
    waiting: Arc<AtomicUsize>,
}

/// The decoder's end.
#[derive(Debug)]
pub(crate) struct Inlet {
    filled: Receiver<DatagramBatch>,
    recycler: Recycler,
    waiting: Arc<AtomicUsize>,
}

/// The way back for batches that nobody needs any more.
#[derive(Clone, Debug)]
pub(crate) struct Recycler {
    empty: SyncSender<DatagramBatch>,
}

impl Outlet {
    /// Hands a batch over, waiting while the queue is full, and leaves an empty one in its place. `false`
    /// when the decoder has gone.
    fn hand_over(&self, batch: &mut DatagramBatch) -> bool {
        if batch.is_empty() {
            return true;
        }
        let fresh = self.emptied.try_recv().unwrap_or_default();
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.full.send(std::mem::replace(batch, fresh)).is_ok()
    }

    fn decoder_is_idle(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) == 0
    }
}

impl Inlet {
    /// The next batch.
    pub(crate) fn next(&self, timeout: Duration) -> Result<DatagramBatch, RecvTimeoutError> {
        let batch = self.filled.recv_timeout(timeout)?;
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        Ok(batch)
    }

    /// The way back for batches.
    pub(crate) fn recycler(&self) -> Recycler {
        self.recycler.clone()
    }
}

impl Recycler {
    /// Gives a batch back for reuse.
    pub(crate) fn recycle(&self, mut batch: DatagramBatch) {
        batch.clear();
        // If there are enough of them already, this one is not needed.
        let _ = self.empty.try_send(batch);
    }
}

/// Receives from all sockets until `stop` can be read from, then hands over what the kernel still holds and returns.
///
/// # Errors
/// When the socket fails in a way that will not pass.
pub(crate) fn receive(
    sockets: &[UdpSocket],
    stop: &UnixStream,
    now_ms: fn() -> u64,
    outlet: &Outlet,
) -> io::Result<()> {
    let mut receiver = Receive::new();
    let mut batch = DatagramBatch::default();
    let (pause, mut is_busy) = (pause(sockets), false);
    let all = sockets.iter().map(AsFd::as_fd).chain([stop.as_fd()]);
    let mut waiting: Vec<PollFd<'_>> = all.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
    loop {
        let timeout = if batch.is_empty() { PollTimeout::NONE } else { PollTimeout::from(MAX_DELAY_MS) };
        match poll(&mut waiting, timeout) {
            Ok(0) if !outlet.hand_over(&mut batch) => return Ok(()),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        if waiting.last().and_then(PollFd::any) == Some(true) {
            break;
        }
        if !is_busy && let Some(pause) = pause {
            thread::sleep(pause);
        }
        is_busy = false;
        for (socket, waiting) in sockets.iter().zip(&waiting) {
            while waiting.any() != Some(false) && !batch.is_full() {
                let count = receiver.fill(socket, now_ms, &mut batch)?;
                is_busy |= count == PER_CALL;
                if count < PER_CALL {
                    break;
                }
            }
        }
        if (batch.is_full() || outlet.decoder_is_idle()) && !outlet.hand_over(&mut batch) {
            return Ok(());
        }
    }
    for socket in sockets {
        let mut drained = 0;
        while drained < MAX_DRAINED {
            match receiver.fill(socket, now_ms, &mut batch)? {
                0 => break,
                count => drained += count,
            }
            if batch.is_full() && !outlet.hand_over(&mut batch) {
                return Ok(());
            }
        }
    }
    outlet.hand_over(&mut batch);
    Ok(())
}

/// How long datagrams may gather in the kernel before they are taken, all by one call and for one waking of the decoder.
/// `None` where the smallest buffer might overflow meanwhile.
fn pause(sockets: &[UdpSocket]) -> Option<Duration> {
    let smallest = sockets.iter().map(|socket| getsockopt(socket, sockopt::RcvBuf).unwrap_or(0)).min()?;
    let pause = Duration::from_micros(smallest as u64 / OCTETS_PER_MICROSECOND).min(LONGEST_PAUSE);
    (pause >= SHORTEST_PAUSE).then_some(pause)
}

/// Buffers of the system call, allocated once.
struct Receive {
    headers: MultiHeaders<SockaddrStorage>,
    octets: Vec<u8>,
}

impl Receive {
    fn new() -> Receive {
        Receive {
            headers: MultiHeaders::preallocate(PER_CALL, None),
            octets: vec![0; PER_CALL * MAX_DATAGRAM_LEN],
        }
    }

    /// Takes what is there, without waiting, and says how many datagrams that were.
    fn fill(
        &mut self,
        socket: &UdpSocket,
        now_ms: fn() -> u64,
        batch: &mut DatagramBatch,
    ) -> io::Result<usize> {
        let mut buffers = self.octets.chunks_exact_mut(MAX_DATAGRAM_LEN);
        let mut slices: [_; PER_CALL] =
            std::array::from_fn(|_| [io::IoSliceMut::new(buffers.next().unwrap_or_default())]);
        let flags = MsgFlags::MSG_DONTWAIT;
        let received = match recvmmsg(socket.as_raw_fd(), &mut self.headers, slices.iter_mut(), flags, None) {
            Ok(received) => received,
            Err(error) if PASSING.contains(&error) => return Ok(0),
            Err(error) => return Err(error.into()),
        };
        let received_ms = now_ms();
        let mut count = 0;
        for message in received {
            let from = message.address.as_ref().and_then(source);
            if let Some(from) = from {
                let payload = message.iovs().next().unwrap_or_default();
                batch.push(Datagram { from, received_ms, payload });
            }
            count += 1;
        }
        Ok(count)
    }
}

/// IPv4 addresses that arrive at an IPv6 socket are IPv4 addresses.
fn source(address: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = address.as_sockaddr_in() {
        return Some(SocketAddr::new(v4.ip().into(), v4.port()));
    }
    let v6 = address.as_sockaddr_in6()?;
    let ip: IpAddr = v6.ip().to_canonical();
    Some(SocketAddr::new(ip, v6.port()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::{Ipv4Addr, Ipv6Addr};

    const TIMEOUT: Duration = Duration::from_secs(10);

    #[test]
    fn datagrams_arrive_in_order_and_stopping_loses_none() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let target = socket.local_addr().unwrap();
        let (mut stop, stopped) = UnixStream::pair().unwrap();
        let (outlet, inlet) = queue();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        let receiver = thread::spawn(move || receive(&[socket], &stopped, || 42, &outlet));

        let mut seen = Vec::new();
        let mut take = |inlet: &Inlet| {
            let batch = inlet.next(TIMEOUT)?;
            for datagram in batch.iter() {
                assert_eq!((datagram.from, datagram.received_ms), (sender.local_addr().unwrap(), 42));
                seen.push(u32::from_be_bytes(*datagram.payload.first_chunk().unwrap()));
            }
            inlet.recycler.recycle(batch);
            Ok::<_, RecvTimeoutError>(seen.len())
        };
        sender.send_to(&0_u32.to_be_bytes(), target).unwrap();
        assert_eq!(take(&inlet).unwrap(), 1, "a single datagram does not wait for others");
        for number in 1..100_u32 {
            sender.send_to(&number.to_be_bytes(), target).unwrap();
        }
        stop.write_all(b"x").unwrap();
        receiver.join().unwrap().unwrap();
        while take(&inlet).is_ok() {}
        assert_eq!(seen, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn empty_and_largest_datagrams_are_datagrams() {
        let socket = UdpSocket::bind("[::1]:0").unwrap();
        let sender = UdpSocket::bind("[::1]:0").unwrap();
        let target = socket.local_addr().unwrap();
        sender.send_to(&[], target).unwrap();
        sender.send_to(&vec![7; 65_507], target).unwrap();
        let mut batch = DatagramBatch::default();
        let mut receive = Receive::new();
        assert_eq!(receive.fill(&socket, || 1, &mut batch).unwrap(), 2);
        assert_eq!(receive.fill(&socket, || 1, &mut batch).unwrap(), 0);
        let lens: Vec<usize> = batch.iter().map(|datagram| datagram.payload.len()).collect();
        assert_eq!(lens, [0, 65_507]);
        assert!(batch.iter().all(|datagram| datagram.from.ip() == IpAddr::from(Ipv6Addr::LOCALHOST)));
    }

    #[test]
    fn mapped_addresses_are_ipv4() {
        let socket = UdpSocket::bind("[::]:0").unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        sender.send_to(b"x", (Ipv4Addr::LOCALHOST, socket.local_addr().unwrap().port())).unwrap();
        let mut batch = DatagramBatch::default();
        Receive::new().fill(&socket, || 1, &mut batch).unwrap();
        assert_eq!(batch.iter().next().unwrap().from, sender.local_addr().unwrap());
    }
}

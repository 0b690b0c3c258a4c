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
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, getsockopt, recvmmsg, sockopt};
use nix::sys::time::TimeSpec;

/// Datagrams per system call. More gain nothing: the cost of the call is spread thin already.
const PER_CALL: usize = 64;

/// The longest UDP payload; on loopback and jumbo paths they occur.
const MAX_DATAGRAM_LEN: usize = 65_535;

/// The kernel writes so many octets of a datagram straight into its batch: all that an Ethernet frame can carry. What is
/// longer is put together afterwards.
const PLACE_LEN: usize = 1536;
const OVERFLOW_LEN: usize = MAX_DATAGRAM_LEN - PLACE_LEN;

/// A batch is handed over when it has this many octets, at the latest.
const BATCH_LEN: usize = 256 << 10;

/// Octets of room that a batch needs, unless datagrams are longer than their places.
const ROOM: usize = BATCH_LEN + PER_CALL * PLACE_LEN;

/// Batches in the queue between receiver and decoder: up to about 40 MB, a second of the rate that one
/// decoder manages.
pub(crate) const QUEUE_LEN: usize = 128;

/// How long datagrams may wait for company before they are handed to a busy decoder.
const MAX_DELAY: Duration = Duration::from_millis(5);

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

/// Datagrams in the order of their arrival.
#[derive(Debug, Default)]
pub(crate) struct DatagramBatch {
    /// The datagrams and, behind them, room.
    octets: Vec<u8>,
    /// Where the room begins.
    used: usize,
    items: Vec<Item>,
}

#[derive(Clone, Copy, Debug)]
struct Item {
    start: usize,
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
    #[cfg(test)]
    pub(crate) fn push(&mut self, datagram: Datagram<'_>) {
        let Datagram { from, received_ms, payload } = datagram;
        let start = self.used;
        self.octets.truncate(start);
        self.octets.extend_from_slice(payload);
        self.used = self.octets.len();
        self.items.push(Item { start, end: self.used, from, received_ms });
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Datagram<'_>> {
        self.items.iter().map(|item| Datagram {
            from: item.from,
            received_ms: item.received_ms,
            payload: &self.octets[item.start..item.end],
        })
    }

    /// Room for the datagrams of a system call, one place each.
    fn places(&mut self) -> &mut [u8] {
        let end = self.used + PER_CALL * PLACE_LEN;
        if self.octets.len() < end {
            self.octets.resize(end, 0);
        }
        &mut self.octets[self.used..end]
    }

    /// Takes what the kernel wrote into the first of these [places](Self::places): datagrams of these senders and
    /// lengths. What did not fit a place stands in `overflow`, in rows of [`OVERFLOW_LEN`].
    fn take(&mut self, received_ms: u64, received: &[(Option<SocketAddr>, usize)], overflow: &[u8]) {
        let (first, new) = (self.used, self.items.len());
        for (number, &(from, len)) in received.iter().enumerate() {
            let Some(from) = from else { continue };
            let mut start = first + number * PLACE_LEN;
            if start - self.used > len {
                // Short ones move up: a queue of them shall hold as many octets as one of long ones.
                self.octets.copy_within(start..start + len, self.used);
                start = self.used;
            }
            self.used = start + len.min(PLACE_LEN);
            self.items.push(Item { start, end: start + len, from, received_ms });
        }
        for item in &mut self.items[new..] {
            let len = item.end - item.start;
            if len > PLACE_LEN {
                // Too long for its place, which it has not left: behind all others there is room.
                let (start, row) = (self.used, (item.start - first) / PLACE_LEN * OVERFLOW_LEN);
                self.used += len;
                self.octets.resize(self.octets.len().max(self.used), 0);
                self.octets.copy_within(item.start..item.start + PLACE_LEN, start);
                self.octets[start + PLACE_LEN..self.used]
                    .copy_from_slice(&overflow[row..][..len - PLACE_LEN]);
                (item.start, item.end) = (start, self.used);
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Datagrams in it.
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    fn is_full(&self) -> bool {
        self.used >= BATCH_LEN || self.items.len() >= BATCH_LEN / 64
    }

    /// Forgets the datagrams. Their octets become room, which need not be cleared again.
    fn clear(&mut self) {
        self.octets.truncate(ROOM);
        if self.octets.capacity() > 2 * ROOM {
            // After many long datagrams at once. What all batches keep stays what the queue may hold.
            self.octets.shrink_to(ROOM);
        }
        self.used = 0;
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
/// The first datagram after silence wakes it, and then the end of each pause, until one has brought nothing.
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
    let pause = pause(sockets);
    let all = [stop.as_fd()].into_iter().chain(sockets.iter().map(AsFd::as_fd));
    let mut watched: Vec<PollFd<'_>> = all.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
    // Whether datagrams gather in the kernel, and whether there are more than the last batch had room for.
    let (mut gather, mut is_more) = (false, false);
    loop {
        let timeout = match pause {
            _ if is_more => Some(Duration::ZERO),
            Some(pause) if gather => Some(pause),
            _ => (!batch.is_empty()).then_some(MAX_DELAY),
        };
        // In a pause, only the order to stop counts.
        let count = if gather { 1 } else { watched.len() };
        let ready = match ppoll(&mut watched[..count], timeout.map(TimeSpec::from_duration), None) {
            Ok(ready) => ready > 0,
            Err(Errno::EINTR) => continue,
            Err(error) => return Err(error.into()),
        };
        if watched.first().and_then(PollFd::any) == Some(true) {
            break;
        }
        if !gather && !is_more {
            if !ready && !outlet.hand_over(&mut batch) {
                return Ok(());
            }
            gather = ready && pause.is_some();
            if gather || !ready {
                continue;
            }
        }
        let mut taken = 0;
        for socket in sockets {
            while !batch.is_full() {
                let count = receiver.fill(socket, now_ms, &mut batch)?;
                taken += count;
                if count < PER_CALL {
                    break;
                }
            }
        }
        is_more = batch.is_full();
        gather = taken > 0 && pause.is_some();
        if (is_more || outlet.decoder_is_idle()) && !outlet.hand_over(&mut batch) {
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

/// What the system call needs besides the batch, allocated once.
struct Receive {
    headers: MultiHeaders<SockaddrStorage>,
    /// What does not fit the places of a batch, one row for each. Nothing is there that was never written to.
    overflow: Vec<u8>,
    /// Senders and lengths of what came.
    received: Vec<(Option<SocketAddr>, usize)>,
}

impl Receive {
    fn new() -> Receive {
        Receive {
            headers: MultiHeaders::preallocate(PER_CALL, None),
            overflow: vec![0; PER_CALL * OVERFLOW_LEN],
            received: Vec::with_capacity(PER_CALL),
        }
    }

    /// Takes what is there, without waiting, and says how many datagrams that were.
    fn fill(
        &mut self,
        socket: &UdpSocket,
        now_ms: fn() -> u64,
        batch: &mut DatagramBatch,
    ) -> io::Result<usize> {
        let Receive { headers, overflow, received } = self;
        let places = batch.places().chunks_exact_mut(PLACE_LEN);
        let mut buffers = places.zip(overflow.chunks_exact_mut(OVERFLOW_LEN));
        let mut slices: [_; PER_CALL] = std::array::from_fn(|_| {
            let (place, overflow) = buffers.next().unwrap_or_default();
            [io::IoSliceMut::new(place), io::IoSliceMut::new(overflow)]
        });
        let flags = MsgFlags::MSG_DONTWAIT;
        received.clear();
        match recvmmsg(socket.as_raw_fd(), headers, slices.iter_mut(), flags, None) {
            Ok(messages) => {
                received.extend(
                    messages.map(|message| (message.address.as_ref().and_then(source), message.bytes)),
                );
            }
            Err(error) if PASSING.contains(&error) => return Ok(0),
            Err(error) => return Err(error.into()),
        }
        batch.take(now_ms(), received, overflow);
        Ok(received.len())
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
    use std::thread;

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
    fn datagrams_of_all_lengths_stay_as_they_are() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        let target = socket.local_addr().unwrap();
        let mut batch = DatagramBatch::default();
        let mut receive = Receive::new();
        let lens = [9000, 1, PLACE_LEN, 0, PLACE_LEN + 1, 700, 1400, 5, 40_000, 1400];
        for round in 0..3 {
            for (number, len) in lens.into_iter().enumerate() {
                let payload: Vec<u8> = (0..len).map(|place| (place * 7 + number + round) as u8).collect();
                sender.send_to(&payload, target).unwrap();
            }
            assert_eq!(receive.fill(&socket, || 1, &mut batch).unwrap(), lens.len());
        }
        assert_eq!(batch.len(), 3 * lens.len());
        for (place, datagram) in batch.iter().enumerate() {
            let (round, number) = (place / lens.len(), place % lens.len());
            assert_eq!(datagram.payload.len(), lens[number]);
            let expected = (0..).map(|place| (place * 7 + number + round) as u8);
            assert!(datagram.payload.iter().copied().eq(expected.take(lens[number])), "datagram {place}");
        }
        batch.clear();
        assert!(batch.is_empty() && batch.iter().next().is_none());
    }

    #[test]
    fn short_datagrams_take_little_room() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut batch = DatagramBatch::default();
        for _ in 0..PER_CALL {
            sender.send_to(&[1; 100], socket.local_addr().unwrap()).unwrap();
        }
        assert_eq!(Receive::new().fill(&socket, || 1, &mut batch).unwrap(), PER_CALL);
        assert_eq!(batch.used, PER_CALL * 100);
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

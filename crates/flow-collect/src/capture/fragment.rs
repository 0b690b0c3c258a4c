//! IP packets put together from their pieces (RFC 791 3.2, RFC 8200 4.5).

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use super::frame::{self, Found, Fragment, Skip};

/// Packets of which pieces are missing. Exporters send one datagram after the other, so that a few are enough.
const MAX_PACKETS: usize = 256;

/// Octets of pieces that wait, with what keeping each of them costs.
const MAX_OCTETS: usize = 4 << 20;

/// What keeping a piece costs beside its octets.
const PIECE_COST: usize = 64;

/// Pieces that come later than this after the first one belong to another packet: receivers give up after as long.
const MAX_AGE_MS: u64 = 30_000;

/// The longest payload of an IP packet.
const MAX_PAYLOAD: usize = 65_535;

/// What pieces of one packet have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) id: u32,
}

/// Keeps pieces until they make whole packets.
#[derive(Debug, Default)]
pub(super) struct Reassembler {
    packets: HashMap<Key, Packet>,
    /// Octets of all pieces, with their cost.
    octets: usize,
    /// Packets ever begun: which one is the oldest.
    begun: u64,
    whole: Vec<u8>,
}

#[derive(Debug)]
struct Packet {
    number: u64,
    first_ms: u64,
    /// By offset; they neither overlap nor touch the same octet twice.
    pieces: BTreeMap<usize, Box<[u8]>>,
    /// Octets that are there.
    found: usize,
    /// Octets there will be, once the last piece was seen.
    total: Option<usize>,
    /// What the packet holds, by its first piece.
    next_header: u8,
}

/// What became of a piece.
#[derive(Debug)]
pub(super) struct Added<'a> {
    /// The packet which it was the last missing piece of.
    pub(super) whole: Option<Whole<'a>>,
    /// Pieces that were given up.
    pub(super) abandoned: u64,
}

/// The payload of a packet that was in pieces.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whole<'a> {
    source: IpAddr,
    destination: IpAddr,
    next_header: u8,
    octets: &'a [u8],
}

impl<'a> Whole<'a> {
    /// The datagram in the packet.
    pub(super) fn datagram(self) -> Result<Found<'a>, Skip> {
        frame::transport(self.source, self.destination, self.next_header, self.octets)
    }
}

impl Reassembler {
    /// Takes a piece that was captured at `now_ms`.
    ///
    /// Pieces that contradict those before (they overlap, or reach behind the end) give up the packet: that is
    /// how an attack looks, and nothing else (RFC 5722). A piece that comes twice counts once.
    pub(super) fn add(&mut self, fragment: &Fragment<'_>, now_ms: u64) -> Added<'_> {
        let key = fragment.key;
        let mut abandoned = 0;
        if self.packets.get(&key).is_some_and(|packet| now_ms > packet.first_ms.saturating_add(MAX_AGE_MS)) {
            abandoned += self.forget(&key);
        }
        let cost = fragment.octets.len() + PIECE_COST;
        while !self.has_room(&key, cost) {
            abandoned += self.forget_oldest();
        }
        let begun = &mut self.begun;
        let packet = self.packets.entry(key).or_insert_with(|| {
            *begun += 1;
            Packet::new(*begun, now_ms)
        });
        match packet.add(fragment) {
            Ok(true) => self.octets += cost,
            Ok(false) => {}
            Err(Contradiction) => return Added { whole: None, abandoned: abandoned + 1 + self.forget(&key) },
        }
        let is_whole = self.packets.get(&key).is_some_and(Packet::is_whole);
        let whole = if is_whole { self.take(&key) } else { None };
        Added { whole, abandoned }
    }

    /// Gives up every piece; gives how many there were.
    pub(super) fn abandon(&mut self) -> u64 {
        self.octets = 0;
        self.packets.drain().map(|(_, packet)| packet.pieces.len() as u64).sum()
    }

    fn has_room(&self, key: &Key, cost: usize) -> bool {
        let fits = self.octets + cost <= MAX_OCTETS;
        self.packets.is_empty()
            || (fits && (self.packets.len() < MAX_PACKETS || self.packets.contains_key(key)))
    }

    fn forget_oldest(&mut self) -> u64 {
        let oldest = self.packets.iter().min_by_key(|(_, packet)| packet.number).map(|(key, _)| *key);
        oldest.map_or(0, |key| self.forget(&key))
    }

    fn forget(&mut self, key: &Key) -> u64 {
        self.packets.remove(key).map_or(0, |packet| {
            self.octets -= packet.cost();
            packet.pieces.len() as u64
        })
    }

    fn take(&mut self, key: &Key) -> Option<Whole<'_>> {
        let packet = self.packets.remove(key)?;
        self.octets -= packet.cost();
        self.whole.clear();
        packet.pieces.values().for_each(|piece| self.whole.extend_from_slice(piece));
        let Key { source, destination, .. } = *key;
        Some(Whole { source, destination, next_header: packet.next_header, octets: &self.whole })
    }
}

/// A piece does not go with the others.
struct Contradiction;

impl Packet {
    fn new(number: u64, first_ms: u64) -> Packet {
        Packet { number, first_ms, pieces: BTreeMap::new(), found: 0, total: None, next_header: 0 }
    }

    /// Keeps a piece; false if it is there already.
    fn add(&mut self, fragment: &Fragment<'_>) -> Result<bool, Contradiction> {
        let Fragment { offset, more, octets, .. } = *fragment;
        let end = offset + octets.len();
        // All but the last are whole units of eight octets.
        let is_odd = octets.is_empty() || (more && !octets.len().is_multiple_of(8)) || end > MAX_PAYLOAD;
        let total = if more { self.total } else { Some(end) };
        let last_end = self.pieces.last_key_value().map_or(0, |(start, piece)| start + piece.len());
        let ends_elsewhere = self.total.is_some_and(|known| Some(known) != total);
        if is_odd || ends_elsewhere || total.is_some_and(|total| end > total || last_end > total) {
            return Err(Contradiction);
        }
        if self.pieces.get(&offset).is_some_and(|piece| **piece == *octets) {
            return Ok(false);
        }
        let before = self.pieces.range(..=offset).next_back();
        let after = self.pieces.range(offset..).next();
        let overlaps = before.is_some_and(|(start, piece)| start + piece.len() > offset)
            || after.is_some_and(|(&start, _)| start < end);
        if overlaps {
            return Err(Contradiction);
        }
        if offset == 0 {
            self.next_header = fragment.next_header;
        }
        self.total = total;
        self.found += octets.len();
        self.pieces.insert(offset, octets.into());
        Ok(true)
    }

    fn is_whole(&self) -> bool {
        self.total == Some(self.found)
    }

    fn cost(&self) -> usize {
        self.found + self.pieces.len() * PIECE_COST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UDP: u8 = 17;

    fn piece(id: u32, offset: usize, more: bool, octets: &[u8]) -> Fragment<'_> {
        let key = Key { source: [192, 0, 2, 1].into(), destination: [192, 0, 2, 2].into(), id };
        Fragment { key, next_header: UDP, offset, more, octets }
    }

    /// What is whole after a piece, and how many pieces were given up.
    fn add(pieces: &mut Reassembler, fragment: &Fragment<'_>, now_ms: u64) -> (Option<Vec<u8>>, u64) {
        let added = pieces.add(fragment, now_ms);
        (added.whole.map(|whole| whole.octets.to_vec()), added.abandoned)
    }

    #[test]
    fn pieces_make_a_packet_in_any_order() {
        let all = [piece(1, 0, true, b"01234567"), piece(1, 8, true, b"89abcdef"), piece(1, 16, false, b"x")];
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let mut pieces = Reassembler::default();
            assert_eq!(add(&mut pieces, &all[order[0]], 0), (None, 0));
            // Another packet in between, and a piece twice.
            assert_eq!(add(&mut pieces, &piece(2, 0, true, b"another."), 0), (None, 0));
            assert_eq!(add(&mut pieces, &all[order[1]], 0), (None, 0));
            assert_eq!(add(&mut pieces, &all[order[1]], 0), (None, 0));
            assert_eq!(add(&mut pieces, &all[order[2]], 0), (Some(b"0123456789abcdefx".to_vec()), 0));
            assert_eq!(pieces.abandon(), 1);
            assert_eq!(pieces.octets, 0);
        }
    }

    #[test]
    fn pieces_that_contradict_each_other_are_given_up() {
        let first = piece(1, 0, true, b"0123456789abcdef");
        let last = piece(1, 16, false, b"x");
        for (before, after, given_up) in [
            (&first, piece(1, 8, true, b"overlaps"), 2),
            (&first, piece(1, 0, true, b"0123456X"), 2),
            (&last, piece(1, 24, false, b"y"), 2),
            (&last, piece(1, 16, true, b"yyyyyyyy"), 2),
            (&first, piece(1, 8, false, b""), 2),
            (&first, piece(1, 8, false, b"z"), 2),
            (&first, piece(1, 16, true, b"odd"), 2),
            (&first, piece(1, 65_528, false, b"too long"), 2),
        ] {
            let mut pieces = Reassembler::default();
            assert_eq!(add(&mut pieces, before, 0), (None, 0));
            assert_eq!(add(&mut pieces, &after, 0), (None, given_up), "{after:?}");
            assert_eq!((pieces.abandon(), pieces.octets), (0, 0));
        }
    }

    #[test]
    fn an_old_piece_does_not_go_with_a_new_one() {
        let mut pieces = Reassembler::default();
        assert_eq!(add(&mut pieces, &piece(1, 0, true, b"01234567"), 1000), (None, 0));
        assert_eq!(add(&mut pieces, &piece(1, 8, false, b"x"), 1001 + MAX_AGE_MS), (None, 1));
        assert_eq!(add(&mut pieces, &piece(1, 0, true, b"01234567"), 2000), (Some(b"01234567x".to_vec()), 0));
    }

    #[test]
    fn what_waits_is_bounded_and_the_oldest_goes_first() {
        let mut pieces = Reassembler::default();
        let count = MAX_PACKETS as u32;
        let given_up: u64 =
            (0..=count).map(|id| add(&mut pieces, &piece(id, 0, true, b"01234567"), 0).1).sum();
        assert_eq!((given_up, pieces.packets.len()), (1, MAX_PACKETS));
        assert_eq!(add(&mut pieces, &piece(0, 8, false, b"x"), 0).0, None, "it was given up");
        assert!(add(&mut pieces, &piece(count, 8, false, b"x"), 0).0.is_some());

        let mut pieces = Reassembler::default();
        let long = vec![0; 65_528];
        for id in 0..1000 {
            add(&mut pieces, &piece(id, 0, true, &long), 0);
            assert!(pieces.octets <= MAX_OCTETS);
        }
        assert_eq!(pieces.packets.len(), MAX_OCTETS / (long.len() + PIECE_COST));
    }
}

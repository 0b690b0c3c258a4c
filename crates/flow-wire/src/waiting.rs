//! Data sets that came before their template.
//!
//! UDP reorders, and a collector that starts in the middle of an export sees data until the templates are sent
//! again. Such sets wait, each with what its message said, until the template comes; the flows then are those
//! they would have been had it come in time.

use crate::Limits;
use crate::memory::Memory;
use crate::stamps::Clocks;
use std::collections::VecDeque;

/// The data sets of one exporter that wait, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    sets: VecDeque<WaitingSet>,
    octets: usize,
    /// Whether the template of one of them has come.
    pub(crate) is_ready: bool,
}

/// A data set, and what its message said.
#[derive(Debug)]
pub(crate) struct WaitingSet {
    /// The template it waits for.
    pub(crate) id: u16,
    /// Where the records stood in their datagram.
    pub(crate) offset: usize,
    pub(crate) received_ms: u64,
    pub(crate) clocks: Clocks,
    pub(crate) engine: (u8, u8),
    /// The records.
    pub(crate) body: Box<[u8]>,
}

impl WaitingSet {
    /// Octets it occupies.
    fn memory(&self) -> usize {
        size_of::<WaitingSet>() + self.body.len()
    }
}

impl Waiting {
    /// Keeps a set, at the expense of the exporter's older ones where there is no room. Says whether it was
    /// kept, and how many others were given up.
    pub(crate) fn keep(&mut self, set: WaitingSet, limits: &Limits, memory: &mut Memory) -> (bool, usize) {
        let mut given_up = self.expire(set.received_ms, limits, memory);
        let octets = set.memory();
        if limits.waiting_sets_per_exporter == 0 || octets > limits.waiting_len_per_exporter_bytes {
            return (false, given_up);
        }
        while self.sets.len() >= limits.waiting_sets_per_exporter
            || self.octets + octets > limits.waiting_len_per_exporter_bytes
        {
            self.take(memory);
            given_up += 1;
        }
        while !memory.charge_waiting(octets, limits) {
            if self.take(memory).is_none() {
                return (false, given_up);
            }
            given_up += 1;
        }
        self.octets += octets;
        self.sets.push_back(set);
        (true, given_up)
    }

    /// Gives up the sets that have waited too long, and says how many.
    pub(crate) fn expire(&mut self, now_ms: u64, limits: &Limits, memory: &mut Memory) -> usize {
        // The oldest stands in front, unless the clock was set back in between; then it is a little late.
        let is_old = |set: &WaitingSet| now_ms.saturating_sub(set.received_ms) > limits.waiting_age_ms;
        let mut given_up = 0;
        while self.sets.front().is_some_and(is_old) {
            self.take(memory);
            given_up += 1;
        }
        given_up
    }

    /// Gives up the sets that wait for template `id`, and says how many.
    pub(crate) fn give_up(&mut self, id: u16, memory: &mut Memory) -> usize {
        self.give_up_if(|set| set.id == id, memory)
    }

    /// Gives up every set, and says how many there were.
    pub(crate) fn give_up_all(&mut self, memory: &mut Memory) -> usize {
        self.give_up_if(|_| true, memory)
    }

    /// Takes every set out, for those that still cannot be decoded to be [put back](Self::put_back).
    pub(crate) fn take_all(&mut self) -> VecDeque<WaitingSet> {
        std::mem::take(&mut self.sets)
    }

    /// Takes back what was taken out, before what was kept in between.
    pub(crate) fn put_back(&mut self, mut sets: VecDeque<WaitingSet>) {
        sets.append(&mut self.sets);
        self.sets = sets;
    }

    /// Accounts for a set that was taken out and decoded.
    pub(crate) fn decoded(&mut self, set: &WaitingSet, memory: &mut Memory) {
        self.released(set.memory(), memory);
    }

    /// How many sets wait.
    pub(crate) fn len(&self) -> usize {
        self.sets.len()
    }

    /// Whether a set waits for template `id`.
    pub(crate) fn has(&self, id: u16) -> bool {
        self.sets.iter().any(|set| set.id == id)
    }

    fn take(&mut self, memory: &mut Memory) -> Option<WaitingSet> {
        let set = self.sets.pop_front()?;
        self.released(set.memory(), memory);
        Some(set)
    }

    fn give_up_if(&mut self, is_lost: impl Fn(&WaitingSet) -> bool, memory: &mut Memory) -> usize {
        let (mut count, mut octets) = (0, 0);
        self.sets.retain(|set| {
            let lost = is_lost(set);
            count += usize::from(lost);
            octets += if lost { set.memory() } else { 0 };
            !lost
        });
        self.released(octets, memory);
        count
    }

    fn released(&mut self, octets: usize, memory: &mut Memory) {
        memory.release_waiting(octets);
        self.octets -= octets;
        if self.sets.is_empty() {
            self.sets = VecDeque::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DecoderOptions;
    use crate::element::Dialect;
    use crate::vectors::{
        Bench, NOW, UPTIME, ipfix, ipfix_options, nums, octets, set as wire_set, template, v9, v9_options,
    };
    use flow_model::{Field, RecordFlags};

    fn set(id: u16, received_ms: u64, octets: usize) -> WaitingSet {
        let clocks = Clocks { dialect: Dialect::V9, export_ms: 0, uptime_ms: 0, init_ms: None };
        WaitingSet { id, offset: 24, received_ms, clocks, engine: (0, 0), body: vec![0; octets].into() }
    }

    /// What a set of a hundred octets occupies.
    const SET: usize = size_of::<WaitingSet>() + 100;

    fn ids(waiting: &Waiting) -> Vec<u16> {
        waiting.sets.iter().map(|set| set.id).collect()
    }

    #[test]
    fn the_oldest_make_room() {
        let (mut waiting, mut memory) = (Waiting::default(), Memory::default());
        let count = Limits { waiting_sets_per_exporter: 2, ..Limits::default() };
        assert_eq!(waiting.keep(set(1, 0, 100), &count, &mut memory), (true, 0));
        assert_eq!(waiting.keep(set(2, 0, 100), &count, &mut memory), (true, 0));
        assert_eq!(waiting.keep(set(3, 0, 100), &count, &mut memory), (true, 1));
        assert_eq!((ids(&waiting), memory.used()), (vec![2, 3], 2 * SET));
        let octets = Limits { waiting_len_per_exporter_bytes: 3 * SET - 1, ..Limits::default() };
        assert_eq!(waiting.keep(set(4, 0, 100), &octets, &mut memory), (true, 1));
        assert_eq!(waiting.keep(set(5, 0, 3 * SET), &octets, &mut memory), (false, 0));
        let all = Limits { waiting_len_bytes: 3 * SET - 1, ..Limits::default() };
        assert_eq!(waiting.keep(set(6, 0, 100), &all, &mut memory), (true, 1));
        assert_eq!((ids(&waiting), memory.used()), (vec![4, 6], 2 * SET));
        let none = Limits { waiting_sets_per_exporter: 0, ..Limits::default() };
        assert_eq!(waiting.keep(set(7, 0, 100), &none, &mut memory), (false, 0));
        assert_eq!((waiting.give_up_all(&mut memory), memory.used(), waiting.octets), (2, 0, 0));
    }

    #[test]
    fn an_exporter_pays_for_the_room_of_all_with_its_own() {
        let mut memory = Memory::default();
        let limits = Limits { waiting_len_bytes: 3 * SET, ..Limits::default() };
        let (mut greedy, mut other) = (Waiting::default(), Waiting::default());
        assert_eq!(other.keep(set(1, 0, 100), &limits, &mut memory), (true, 0));
        for expected in [0, 0, 1, 1] {
            assert_eq!(greedy.keep(set(2, 0, 100), &limits, &mut memory), (true, expected));
        }
        assert_eq!(ids(&other), [1]);
        let mut third = Waiting::default();
        assert_eq!(third.keep(set(3, 0, 100), &limits, &mut memory), (false, 0));
        // Waiting data leave room for templates.
        assert!(memory.charge(limits.state_len_bytes - 3 * SET, &limits));
        assert!(!memory.charge(1, &limits));
    }

    #[test]
    fn what_is_kept_while_others_are_out_stays() {
        let (mut waiting, mut memory) = (Waiting::default(), Memory::default());
        let limits = Limits::default();
        waiting.keep(set(1, 0, 100), &limits, &mut memory);
        let out = waiting.take_all();
        waiting.keep(set(2, 0, 100), &limits, &mut memory);
        waiting.put_back(out);
        assert_eq!((ids(&waiting), memory.used()), (vec![1, 2], 2 * SET));
        assert_eq!((waiting.give_up_all(&mut memory), memory.used()), (2, 0));
    }

    #[test]
    fn what_has_waited_too_long_is_given_up() {
        let (mut waiting, mut memory) = (Waiting::default(), Memory::default());
        let limits = Limits { waiting_age_ms: 10, ..Limits::default() };
        waiting.keep(set(1, 100, 0), &limits, &mut memory);
        waiting.keep(set(2, 105, 0), &limits, &mut memory);
        assert_eq!(waiting.expire(110, &limits, &mut memory), 0);
        assert_eq!(waiting.keep(set(3, 111, 0), &limits, &mut memory), (true, 1));
        assert_eq!(waiting.give_up(3, &mut memory), 1);
        assert!(waiting.has(2) && !waiting.has(3));
        assert_eq!(waiting.expire(1000, &limits, &mut memory), 1);
        assert_eq!((memory.used(), waiting.octets), (0, 0));
    }

    #[test]
    fn late_flows_are_what_they_would_have_been_in_time() {
        let fields = template(256, &[(22, 4), (21, 4), (1, 4), (48, 1)]);
        let sampler = |rate: u32| wire_set(260, &[octets![1u32, 7u8, rate]]);
        let options = wire_set(1, &[v9_options(260, &[(1, 4)], &[(48, 1), (50, 4)])]);
        let record = octets![UPTIME - 3_000, UPTIME - 1_000, 5u32, 7u8];
        let mut bench = Bench::new();
        bench.take_at(NOW + 10, &v9(1, 0x0203, &[options, sampler(10)]));
        let early = bench.take_at(NOW + 20, &v9(2, 0x0203, &[wire_set(256, &[record.clone(), record])]));
        assert_eq!((early.flows, early.sets_waiting, early.sets_skipped), (0, 1, 0));
        bench.take_at(NOW + 30, &v9(3, 0x0203, &[sampler(100)]));
        let mut message = v9(4, 0x0203, &[wire_set(0, &[fields])]);
        // Another uptime and time of export.
        message.splice(4..12, octets![UPTIME + 60_000, 1_700_000_060u32]);
        let late = bench.take_at(NOW + 60_000, &message);
        assert_eq!((late.flows, late.sets_late, late.late_len_bytes, late.sets_skipped), (2, 1, 26, 0));
        let flows = bench.flows();
        for (field, value) in [
            (Field::ReceivedMs, NOW + 20),
            (Field::FirstMs, NOW - 3_000),
            (Field::LastMs, NOW - 1_000),
            (Field::InBytes, 50),
            (Field::EngineType, 2),
            (Field::EngineId, 3),
            (Field::RecordFlags, RecordFlags::SAMPLED),
        ] {
            assert_eq!(nums(&flows, field), [value; 2], "{field:?}");
        }
        assert_eq!(bench.no_template(), 0);
    }

    #[test]
    fn late_flows_that_do_not_fit_wait_for_room() {
        let limits = Limits { flows_per_datagram: 10, ..Limits::default() };
        let mut bench = Bench::with(DecoderOptions { limits, ..DecoderOptions::default() });
        for sequence in 0..5 {
            bench.take(&v9(sequence, 0, &[wire_set(256, &[vec![sequence as u8; 4]])]));
        }
        // Nine flows of its own leave room for one.
        let sets = [wire_set(0, &[template(256, &[(4, 1)])]), wire_set(256, &[vec![9; 9]])];
        let first = bench.take(&v9(5, 0, &sets));
        assert_eq!((first.flows, first.sets_late, first.refused), (9, 0, 0));
        assert!(bench.decoder.has_pending());
        let next = bench.take(&v9(6, 0, &[wire_set(256, &[vec![10; 1]])]));
        assert_eq!((next.flows, next.sets_late, bench.decoder.has_pending()), (9, 2, true));
        let drained = bench.drain();
        assert_eq!((drained.flows, drained.sets_late, bench.decoder.has_pending()), (8, 2, true));
        let drained = bench.drain();
        assert_eq!((drained.flows, drained.sets_late, bench.decoder.has_pending()), (4, 1, false));
        assert_eq!(bench.drain(), crate::Decoded::default());
        let mut expected = vec![9; 9];
        expected.push(10);
        expected.extend([0, 1, 2, 3, 4].iter().flat_map(|&number| [number; 4]));
        assert_eq!(bench.nums(Field::Proto), expected);
        let ledger = bench.decoder.exporters().first().map(|exporter| exporter.ledger).unwrap();
        assert_eq!((ledger.datagrams, ledger.flows, ledger.no_template), (7, 30, 0));
    }

    #[test]
    fn each_set_is_given_up_once() {
        let limits = Limits { waiting_age_ms: 1_000, waiting_sets_per_exporter: 3, ..Limits::default() };
        let mut bench = Bench::with(DecoderOptions { limits, ..DecoderOptions::default() });
        let data = |sequence| v9(sequence, 0, &[wire_set(256, &[octets![1u32]])]);
        let mut waiting = 0;
        let mut skipped = 0;
        for (sequence, now_ms) in [(1, 0), (2, 100), (3, 200), (4, 300), (5, 5_000)] {
            let decoded = bench.take_at(NOW + now_ms, &data(sequence));
            waiting += decoded.sets_waiting;
            skipped += decoded.sets_skipped;
        }
        // One pushed out, three too old, one left.
        assert_eq!((waiting, skipped, bench.no_template()), (5, 4, 4));
        bench.decoder.expire(NOW + 5_500);
        assert_eq!(bench.no_template(), 4);
        bench.decoder.expire(NOW + 6_001);
        assert_eq!(bench.no_template(), 5);
        bench.take_at(NOW + 7_000, &data(6));
        bench.decoder.give_up_waiting();
        bench.decoder.give_up_waiting();
        assert_eq!(bench.no_template(), 6);
        let late = bench.take_at(NOW + 7_001, &v9(7, 0, &[wire_set(0, &[template(256, &[(1, 4)])])]));
        assert_eq!((late.flows, bench.no_template()), (0, 6));
    }

    #[test]
    fn sets_that_were_ready_are_not_decoded_with_another_template() {
        let limits = Limits { flows_per_datagram: 4, ..Limits::default() };
        let mut bench = Bench::with(DecoderOptions { limits, ..DecoderOptions::default() });
        let bytes = wire_set(0, &[template(256, &[(1, 4)])]);
        let packets = wire_set(0, &[template(256, &[(2, 4)])]);
        bench.take(&v9(1, 0, &[wire_set(256, &[vec![0; 16]])]));
        let decoded = bench.take(&v9(2, 0, &[bytes, wire_set(256, &[vec![0; 4]]), packets]));
        assert_eq!((decoded.flows, decoded.sets_skipped, bench.no_template()), (1, 1, 1));
        assert!(!bench.decoder.has_pending());
    }

    #[test]
    fn options_data_wait_too_and_numbers_start_over_behind_them() {
        let mut bench = Bench::new();
        let data = |sequence| {
            ipfix(sequence, 7, &[wire_set(300, &[octets![7u32, 5u32]]), wire_set(256, &[octets![1u32]])])
        };
        assert_eq!(bench.take(&data(0)).sets_waiting, 2);
        // Two records that nobody can count.
        let options = wire_set(3, &[ipfix_options(300, 1, &[(149, 4), (34, 4)])]);
        let late = bench.take(&ipfix(2, 7, &[wire_set(2, &[template(256, &[(1, 4)])]), options]));
        assert_eq!((late.flows, late.options, late.sets_late, late.sequence_failure), (1, 1, 2, false));
        assert!(!bench.take(&data(2)).sequence_failure);
        assert_eq!(bench.take(&data(5)).missed, 1);
        assert_eq!(bench.nums(Field::InBytes), [5, 5, 5]);
    }
}

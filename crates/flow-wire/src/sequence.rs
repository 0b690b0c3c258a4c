//! Sequence numbers: what is missing, and what only looks so (RFC 7011 3.1, RFC 3954 5.1).

/// Units beyond which a jump forward is no loss but an exporter that started anew. A minute without a
/// collector at 100,000 flows a second is 6 million.
const LARGEST_GAP: u32 = 1 << 24;

/// Units beyond which a number behind the expected one is no late datagram. Reordering spans a few datagrams;
/// 16 bits are two thousand of the largest.
const LATEST: u32 = 1 << 16;

/// Gaps remembered, so that a late datagram can take its loss back.
const HOLES: usize = 8;

/// Datagrams in a row that must follow the other rule before we change to it.
const CHANGE_AFTER: u8 = 4;

/// What a datagram's number said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Continuity {
    /// Units missing before this datagram.
    pub(crate) missed: u64,
    /// Units counted as missing earlier that this datagram brings after all.
    pub(crate) recovered: u64,
    /// Whether the numbers are discontinuous here, for whatever reason.
    pub(crate) failure: bool,
}

/// Which units a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// Nothing has told them apart yet.
    Undecided,
    /// Units sent before this datagram: the standard.
    Before,
    /// Units sent up to and including this datagram: softflowd's IPFIX, Open vSwitch's v5.
    Including,
}

/// The sequence state of one exporter.
#[derive(Clone, Debug)]
pub(crate) struct Sequence {
    /// Number and units of the latest datagram in order.
    last: Option<(u32, u32)>,
    rule: Rule,
    /// Datagrams in a row that followed the other rule only.
    contrary: u8,
    /// What would continue a datagram from behind: if it comes, the exporter started anew there.
    restart: Option<u32>,
    /// Missing units: first number and how many.
    holes: [(u32, u32); HOLES],
    next_hole: usize,
    /// How often the exporter started anew.
    pub(crate) restarts: u64,
    /// Datagrams that came late, or twice.
    pub(crate) late: u64,
}

impl Default for Sequence {
    fn default() -> Sequence {
        Sequence {
            last: None,
            rule: Rule::Undecided,
            contrary: 0,
            restart: None,
            holes: [(0, 0); HOLES],
            next_hole: 0,
            restarts: 0,
            late: 0,
        }
    }
}

impl Sequence {
    /// Takes the number of a datagram with `units` units, `None` when they could not be counted; `restarted`
    /// when the exporter's clock says so.
    pub(crate) fn observe(&mut self, number: u32, units: Option<u32>, restarted: bool) -> Continuity {
        let Some((last, last_units)) = self.last else {
            self.last = units.map(|units| (number, units));
            return Continuity::default();
        };
        let delta = number.wrapping_sub(last);
        let Some(units) = units else {
            // Without its own units the datagram can only be judged by the standard rule, and nothing follows
            // from it.
            self.last = None;
            return Continuity::default();
        };
        self.learn(delta, last_units, units);
        let expected = last.wrapping_add(if self.rule == Rule::Including { units } else { last_units });
        let gap = number.wrapping_sub(expected);
        if gap == 0 {
            self.restart = None;
            self.last = Some((number, units));
            return Continuity::default();
        }
        if restarted || self.restart == Some(number) || (gap > LARGEST_GAP && gap < LATEST.wrapping_neg()) {
            // The number that would continue a datagram from behind: that one was not late.
            let late = self.late - u64::from(self.restart == Some(number));
            *self = Sequence {
                last: Some((number, units)),
                rule: self.rule,
                restarts: self.restarts + 1,
                late,
                ..Sequence::default()
            };
            return Continuity { failure: true, ..Continuity::default() };
        }
        if gap <= LARGEST_GAP {
            self.restart = None;
            self.last = Some((number, units));
            if let Some(hole) = self.holes.get_mut(self.next_hole) {
                *hole = (expected, gap);
            }
            self.next_hole = (self.next_hole + 1) % HOLES;
            return Continuity { missed: u64::from(gap), recovered: 0, failure: true };
        }
        self.restart = Some(number.wrapping_add(units));
        self.late += 1;
        Continuity { missed: 0, recovered: u64::from(self.fill(number, units)), failure: true }
    }

    /// Whether numbers count the units of their own datagram, and number and units of the latest one in order, as far as
    /// that is known.
    pub(crate) fn known(&self) -> (Option<bool>, Option<(u32, u32)>) {
        ((self.rule != Rule::Undecided).then(|| self.is_including()), self.last)
    }

    /// Goes on where the sequence stood that [knew](Sequence::known) this.
    pub(crate) fn resumed(counts_itself: Option<bool>, last: Option<(u32, u32)>) -> Sequence {
        let rule = match counts_itself {
            None => Rule::Undecided,
            Some(false) => Rule::Before,
            Some(true) => Rule::Including,
        };
        Sequence { last, rule, ..Sequence::default() }
    }

    /// Whether numbers count the units of their own datagram.
    pub(crate) fn is_including(&self) -> bool {
        self.rule == Rule::Including
    }

    /// What the next datagram's number should be, if that is known.
    pub(crate) fn expected(&self) -> Option<u32> {
        let (number, units) = self.last?;
        (!self.is_including()).then_some(number.wrapping_add(units))
    }

    /// Tells the two rules apart by a datagram that follows one of them only.
    fn learn(&mut self, delta: u32, last_units: u32, units: u32) {
        let follows = match (delta == last_units, delta == units) {
            (true, false) => Rule::Before,
            (false, true) => Rule::Including,
            _ => return,
        };
        if self.rule == follows {
            self.contrary = 0;
            return;
        }
        self.contrary += 1;
        if self.rule == Rule::Undecided || self.contrary >= CHANGE_AFTER {
            self.rule = follows;
            self.contrary = 0;
        }
    }

    /// Takes `units` from `number` on out of the holes, and says how many were in one.
    fn fill(&mut self, number: u32, units: u32) -> u32 {
        for index in 0..HOLES {
            let Some(&(start, len)) = self.holes.get(index) else { break };
            let into = number.wrapping_sub(start);
            if into >= len {
                continue;
            }
            let filled = units.min(len - into);
            let rest = (number.wrapping_add(filled), len - into - filled);
            if let Some(hole) = self.holes.get_mut(index) {
                *hole = (start, into);
            }
            if rest.1 > 0 {
                if let Some(hole) = self.holes.get_mut(self.next_hole) {
                    *hole = rest;
                }
                self.next_hole = (self.next_hole + 1) % HOLES;
            }
            return filled;
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(datagrams: &[(u32, u32)]) -> Vec<(u64, u64, bool)> {
        let mut sequence = Sequence::default();
        datagrams
            .iter()
            .map(|&(number, units)| {
                let seen = sequence.observe(number, Some(units), false);
                (seen.missed, seen.recovered, seen.failure)
            })
            .collect()
    }

    const FINE: (u64, u64, bool) = (0, 0, false);

    #[test]
    fn the_first_datagram_and_a_wrap_are_no_loss() {
        assert_eq!(run(&[(u32::MAX - 9, 10), (0, 30), (30, 1)]), [FINE; 3]);
    }

    #[test]
    fn a_gap_is_counted_in_units() {
        assert_eq!(run(&[(0, 30), (30, 20), (80, 30), (110, 1)]), [FINE, FINE, (30, 0, true), FINE]);
    }

    #[test]
    fn a_late_datagram_takes_its_loss_back_and_a_duplicate_does_not() {
        assert_eq!(
            run(&[(0, 10), (10, 20), (45, 10), (30, 15), (55, 5), (55, 5), (60, 5)]),
            [FINE, FINE, (15, 0, true), (0, 15, true), FINE, (0, 0, true), FINE]
        );
    }

    #[test]
    fn the_middle_of_a_gap_comes_late() {
        assert_eq!(
            run(&[(0, 1), (4, 1), (2, 1), (1, 1), (3, 1), (5, 1)]),
            [FINE, (3, 0, true), (0, 1, true), (0, 1, true), (0, 1, true), FINE]
        );
    }

    #[test]
    fn an_exporter_that_starts_anew_loses_nothing() {
        assert_eq!(run(&[(3_000_000_000, 10), (0, 10), (10, 10)]), [FINE, (0, 0, true), FINE]);
        // From a small number to a smaller one: like a late datagram, until the next continues it.
        assert_eq!(run(&[(500, 10), (0, 10), (10, 10), (20, 5)]), [FINE, (0, 0, true), (0, 0, true), FINE]);
        let mut sequence = Sequence::default();
        sequence.observe(7, Some(1), false);
        assert_eq!(
            sequence.observe(900, Some(1), true),
            Continuity { failure: true, ..Continuity::default() }
        );
        assert_eq!(sequence.observe(901, Some(1), false), Continuity::default());
    }

    #[test]
    fn numbers_that_include_their_own_datagram_are_no_loss() {
        assert_eq!(run(&[(12, 12), (42, 30), (47, 5), (77, 30), (107, 30)]), [FINE; 5]);
        // A real loss is still one.
        assert_eq!(run(&[(12, 12), (42, 30), (47, 5), (107, 30)]), [FINE, FINE, FINE, (30, 0, true)]);
    }

    #[test]
    fn a_coincidence_does_not_change_the_rule() {
        // 10 units after 20, of which 10 are lost: looks like the other rule.
        assert_eq!(
            run(&[(0, 20), (20, 7), (27, 20), (57, 30), (87, 5), (92, 1)]),
            [FINE, FINE, FINE, (10, 0, true), FINE, FINE]
        );
    }

    #[test]
    fn datagrams_that_cannot_be_counted_make_us_start_over() {
        let mut sequence = Sequence::default();
        sequence.observe(5, Some(3), false);
        assert_eq!(sequence.observe(8, None, false), Continuity::default());
        assert_eq!(sequence.observe(100, Some(3), false), Continuity::default());
        assert_eq!(sequence.observe(104, Some(3), false).missed, 1);
    }
}

//! What block statistics say about a filter.

use crate::ast::{Number, Test};
use crate::simplify::Part;
use flow_model::{BlockStats, Field, Membership, Prune, Range};
use std::net::{IpAddr, Ipv4Addr};

/// What is known about the file a block stands in.
#[derive(Clone, Copy, Debug)]
pub struct FileContext<'a> {
    /// The file's ident.
    pub ident: &'a str,
}

/// A set with more addresses than this is not looked up in membership filters: each look-up may be a false alarm,
/// and together they cost more than they save.
pub(crate) const MAX_LOOKUPS: usize = 64;

/// What is known about every part of a simplified expression, in the order of the parts.
pub(crate) fn prune(
    parts: &[Part],
    stats: &BlockStats,
    membership: &dyn Membership,
    file: &FileContext<'_>,
) -> Prune {
    let mut known: Vec<Prune> = Vec::with_capacity(parts.len());
    for part in parts {
        let verdict = match part {
            Part::Test { test, negated } => {
                let verdict = decide(test, stats, membership, file);
                if *negated { opposite(verdict) } else { verdict }
            }
            Part::And(operands) => all(operands.iter().map(|&operand| known[operand])),
            Part::Or(operands) => opposite(all(operands.iter().map(|&operand| opposite(known[operand])))),
        };
        known.push(verdict);
    }
    known.pop().unwrap_or(Prune::Maybe)
}

fn all(verdicts: impl Iterator<Item = Prune>) -> Prune {
    verdicts.fold(Prune::Always, |so_far, verdict| match (so_far, verdict) {
        (Prune::Never, _) | (_, Prune::Never) => Prune::Never,
        (Prune::Always, Prune::Always) => Prune::Always,
        _ => Prune::Maybe,
    })
}

fn opposite(verdict: Prune) -> Prune {
    match verdict {
        Prune::Never => Prune::Always,
        Prune::Maybe => Prune::Maybe,
        Prune::Always => Prune::Never,
    }
}

fn decide(test: &Test, stats: &BlockStats, membership: &dyn Membership, file: &FileContext<'_>) -> Prune {
    match test {
        Test::Number(number, set) => match bounds(*number, stats) {
            Some((low, high)) => verdict(set.overlaps(low, high), set.covers(low, high)),
            None => Prune::Maybe,
        },
        Test::Address(field, set) => {
            let verdict = match stats.range(*field) {
                Some(Range::Ip { min, max }) => verdict(set.overlaps(min, max), set.covers(min, max)),
                _ => Prune::Maybe,
            };
            if verdict != Prune::Maybe {
                return verdict;
            }
            match set.members(MAX_LOOKUPS) {
                Some(members) if members.iter().all(|&addr| !may_hold(membership, *field, addr)) => {
                    Prune::Never
                }
                _ => Prune::Maybe,
            }
        }
        Test::Equal(one, other) => match [one, other].map(|field| bounds(Number::Field(*field), stats)) {
            [Some((low, high)), Some((other_low, other_high))] => verdict(
                low <= other_high && other_low <= high,
                low == high && other_low == other_high && low == other_low,
            ),
            _ => Prune::Maybe,
        },
        Test::InPortBlock(port) => {
            let all = [*port, Field::PblockStart, Field::PblockEnd].map(|field| stats.range(field));
            match all {
                [
                    Some(Range::Num { min: port_min, max: port_max }),
                    Some(Range::Num { min: start_min, max: start_max }),
                    Some(Range::Num { min: end_min, max: end_max }),
                ] => verdict(
                    port_max >= start_min && port_min <= end_max,
                    port_min >= start_max && port_max <= end_min,
                ),
                _ => Prune::Maybe,
            }
        }
        Test::Ident(ident) => verdict(**ident == *file.ident, **ident == *file.ident),
        Test::Octets(..) => Prune::Maybe,
    }
}

/// Rows without the field have `0.0.0.0`, which a membership filter need not know.
fn may_hold(membership: &dyn Membership, field: Field, addr: IpAddr) -> bool {
    addr == IpAddr::V4(Ipv4Addr::UNSPECIFIED) || membership.may_contain(field, addr)
}

fn verdict(possible: bool, certain: bool) -> Prune {
    match (possible, certain) {
        (false, _) => Prune::Never,
        (true, true) => Prune::Always,
        (true, false) => Prune::Maybe,
    }
}

/// The smallest and the largest value a number can have in the block; the two need not occur.
fn bounds(number: Number, stats: &BlockStats) -> Option<(u64, u64)> {
    let range = |field| match stats.range(field) {
        Some(Range::Num { min, max }) => Some((min, max)),
        _ => None,
    };
    match number {
        Number::Field(field) => range(field),
        Number::Bits { field, shift, width } => {
            let (low, high) = range(field)?;
            let (low, high) = (low >> shift, high >> shift);
            // Between two numbers that agree in all higher bits the lower ones run from one to the other.
            let mask = (1 << width) - 1;
            Some(if low & !mask == high & !mask { (low & mask, high & mask) } else { (0, mask) })
        }
        Number::DurationMs => {
            let ((first_min, first_max), (last_min, last_max)) =
                (range(Field::FirstMs)?, range(Field::LastMs)?);
            Some((last_min.saturating_sub(first_max), last_max.saturating_sub(first_min)))
        }
        Number::Pps => Some(rate_bounds(range(Field::InPackets)?, flow_model::pps)),
        Number::Bps => Some(rate_bounds(range(Field::InBytes)?, flow_model::bps)),
        Number::Bpp => {
            let ((_, bytes_max), (packets_min, _)) = (range(Field::InBytes)?, range(Field::InPackets)?);
            Some((0, flow_model::bpp(bytes_max, packets_min.max(1))))
        }
        Number::Count => None,
    }
}

/// A duration may be 0, which makes the rate 0, and is 1 ms otherwise.
fn rate_bounds((_, max): (u64, u64), rate: fn(u64, u64) -> u64) -> (u64, u64) {
    (0, rate(max, 1))
}

//! The words of the catalogue, ordered by how filters begin.

use flow_model::{DERIVED, FilterKind, FilterWord, Side, Source, fields};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// What a phrase can mean: one field or derived value, with the direction that selects it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) source: Source,
    pub(crate) side: Side,
    pub(crate) undirected: bool,
    pub(crate) kind: FilterKind,
}

/// One or more words that name something to test.
#[derive(Debug)]
pub(crate) struct Phrase {
    pub(crate) words: Vec<&'static str>,
    pub(crate) targets: Vec<Target>,
}

impl Phrase {
    /// Whether direction words may stand before it.
    pub(crate) fn directed(&self) -> bool {
        self.targets.iter().any(|target| target.side != Side::None)
    }

    /// Whether `ingress` or `egress` must stand before it.
    pub(crate) fn needs_side(&self) -> bool {
        self.targets.iter().all(|target| matches!(target.side, Side::Ingress | Side::Egress))
    }
}

/// Every phrase that begins with `word` (lower case), the longest first.
pub(crate) fn phrases(word: &str) -> &'static [Phrase] {
    VOCABULARY.get(word).map_or(&[], Vec::as_slice)
}

/// Every word a primitive can begin with.
pub(crate) fn first_words() -> impl Iterator<Item = &'static str> {
    const OTHERS: [&str; 22] = [
        "any", "ipv4", "ipv6", "inet", "inet6", "ident", "mpls", "payload", "geo", "src", "dst", "in", "out",
        "prev", "previous", "next", "ingress", "egress", "not", "and", "or", "asa",
    ];
    VOCABULARY.keys().copied().chain(OTHERS)
}

static VOCABULARY: LazyLock<BTreeMap<&'static str, Vec<Phrase>>> = LazyLock::new(|| {
    let mut vocabulary: BTreeMap<&'static str, Vec<Phrase>> = BTreeMap::new();
    let mut add = |word: &FilterWord, source: Source| {
        let words: Vec<&str> = word.word.split(' ').collect();
        let phrases = vocabulary.entry(words[0]).or_default();
        let target = Target { source, side: word.side, undirected: word.undirected, kind: word.kind };
        match phrases.iter_mut().find(|phrase| phrase.words == words) {
            Some(phrase) => phrase.targets.push(target),
            None => phrases.push(Phrase { words, targets: vec![target] }),
        }
    };
    for info in fields() {
        info.filter.iter().for_each(|word| add(word, Source::Field(info.field)));
    }
    for info in DERIVED {
        info.filter.iter().for_each(|word| add(word, Source::Derived(info.derived)));
    }
    for phrases in vocabulary.values_mut() {
        phrases.sort_by_key(|phrase| Reverse(phrase.words.len()));
    }
    vocabulary
});

/// The word nearest to `word` in spelling, if any is near, one that begins alike first: what somebody may have
/// meant.
pub(crate) fn nearest(word: &str) -> Option<&'static str> {
    let word = word.to_ascii_lowercase();
    let limit = match word.len() {
        0..=2 => 0,
        3..=4 => 1,
        5..=24 => 2,
        _ => return None,
    };
    let common = |known: &str| word.bytes().zip(known.bytes()).take_while(|(a, b)| a == b).count();
    first_words()
        .map(|known| (distance(&word, known), Reverse(common(known)), known))
        .filter(|&(distance, _, _)| 0 < distance && distance <= limit)
        .min()
        .map(|(_, _, known)| known)
}

/// How many letters must be added, dropped, replaced or swapped with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    rows[0] = (0..=b.len()).collect();
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use flow_model::Field;

    #[test]
    fn phrases_come_from_the_catalogue() {
        let port = &phrases("port")[0];
        let sources: Vec<Source> = port.targets.iter().map(|target| target.source).collect();
        assert_eq!(sources, [Source::Field(Field::SrcPort), Source::Field(Field::DstPort)]);
        assert!(port.directed());
        assert!(phrases("observation").iter().all(|phrase| phrase.words.len() == 3));
        assert!(phrases("scr").is_empty());
        assert!(phrases("vrf")[0].needs_side());
    }

    #[test]
    fn near_misses() {
        assert_eq!(nearest("scr"), Some("src"));
        assert_eq!(nearest("Pakets"), Some("packets"));
        assert_eq!(nearest("protocol"), None);
        assert_eq!(nearest("x"), None);
        assert_eq!(nearest("flag"), Some("flags"));
    }
}

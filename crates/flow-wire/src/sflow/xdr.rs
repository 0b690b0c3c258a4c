//! Reading XDR (RFC 4506): words of four octets, and everything padded to them.

use crate::Fault;
use std::net::IpAddr;

/// Octets of a word.
const WORD_LEN: usize = 4;

/// Reads what stands in a part of a datagram.
#[derive(Clone, Copy, Debug)]
pub(super) struct Xdr<'a> {
    /// The datagram up to the end of the part, so that places are those in the datagram.
    octets: &'a [u8],
    at: usize,
    /// What the part is.
    what: &'static str,
}

/// What is wrong, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    /// Octets from the start of the datagram.
    pub(super) offset: usize,
    pub(super) fault: Fault,
}

impl<'a> Xdr<'a> {
    pub(super) fn new(datagram: &'a [u8], what: &'static str) -> Xdr<'a> {
        Xdr { octets: datagram, at: 0, what }
    }

    /// The rest as a part of its own name.
    pub(super) fn named(self, what: &'static str) -> Xdr<'a> {
        Xdr { what, ..self }
    }

    /// Octets from the start of the datagram.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Octets left in the part.
    pub(super) fn left(&self) -> usize {
        self.octets.len() - self.at
    }

    pub(super) fn words<const N: usize>(&mut self) -> Result<[u32; N], Wrong> {
        let (words, _) = self.take(N * WORD_LEN)?.as_chunks();
        Ok(std::array::from_fn(|index| words.get(index).map_or(0, |word| u32::from_be_bytes(*word))))
    }

    pub(super) fn word(&mut self) -> Result<u32, Wrong> {
        self.words().map(|[word]| word)
    }

    /// `N` octets, `N` being a number of whole words.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Wrong> {
        Ok(self.take(N)?.first_chunk().copied().unwrap_or([0; N]))
    }

    /// Passes over as many words.
    pub(super) fn skip(&mut self, words: u32) -> Result<(), Wrong> {
        self.take((words as usize).saturating_mul(WORD_LEN)).map(|_| ())
    }

    /// A length, then as many octets.
    pub(super) fn opaque(&mut self) -> Result<&'a [u8], Wrong> {
        let len = self.word()?;
        let octets = self.take(len as usize)?;
        self.pad(octets.len());
        Ok(octets)
    }

    /// The part `what` of `len` octets that begins here. This goes on behind it.
    pub(super) fn part(&mut self, what: &'static str, len: u32) -> Result<Xdr<'a>, Wrong> {
        let at = self.at;
        let len = self.named(what).take(len as usize)?.len();
        self.at += len;
        self.pad(len);
        Ok(Xdr { octets: self.octets.get(..at + len).unwrap_or_default(), at, what })
    }

    /// An address behind its type: 0 none, 1 IPv4, 2 IPv6.
    pub(super) fn address(&mut self) -> Result<Option<IpAddr>, Wrong> {
        let offset = self.at;
        match self.word()? {
            0 => Ok(None),
            1 => self.array::<4>().map(|addr| Some(addr.into())),
            2 => self.array::<16>().map(|addr| Some(addr.into())),
            found => Err(Wrong { offset, fault: Fault::AddressType { found } }),
        }
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Wrong> {
        let found = self.left();
        let octets = self.at.checked_add(len).and_then(|end| self.octets.get(self.at..end));
        let Some(octets) = octets else {
            let fault = Fault::Truncated { what: self.what, expected: len, found };
            return Err(Wrong { offset: self.at, fault });
        };
        self.at += len;
        Ok(octets)
    }

    /// Passes over what fills up `len` octets to words; at the end of the part that may be missing.
    fn pad(&mut self, len: usize) {
        let padding = len.wrapping_neg() % WORD_LEN;
        self.at += padding.min(self.left());
    }
}

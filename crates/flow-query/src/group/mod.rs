//! Grouping flows.
//!
//! The way of a flow: its key is packed into a few words ([`key`]); flows of the same key are added up in a small table
//! ([`local`]); what that cannot hold is written as a few octets ([`entry`]) to one of many parts ([`spool`]); at the
//! end of a pass ([`grouper`]) each part is brought together ([`merge`]) and ranked. Who wants the first few keeps only
//! what is [`heavy`] at first. Octet strings of any length, which no packed key holds, go a way of their own ([`text`]).

mod aggregate;
mod direction;
mod entry;
mod grouper;
mod heavy;
mod key;
mod keyset;
mod local;
mod merge;
mod ranking;
mod spool;
mod store;
mod text;
mod winners;

pub use aggregate::Aggregate;
pub use direction::Direction;
pub(crate) use direction::unify;
pub(crate) use entry::Measure;
pub(crate) use grouper::{Grouper, Grouping, Kept};
pub use key::KeyPart;
pub(crate) use key::{Key, Layout, MAX_KEY_WORDS, Shape, key_fields, shapes, unite};
pub use ranking::{Bound, Bounds, Ranking};
pub(crate) use store::{CountedRows, MeasuredValues, Rows, VolumeRows};
pub(crate) use text::{TextGroup, TextGrouper, TextGrouping, text_of};
pub(crate) use winners::{Winner, Winners};

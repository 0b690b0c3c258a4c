//! nfdump's own files.

mod element;
mod stored;

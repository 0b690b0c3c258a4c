//! Retention: keeps a directory of flow files under an age and a size, by nfexpire's rules.
//!
//! * [`Inventory`] is what a directory holds: the finished files, oldest first, with time and size.
//! * [`plan()`] decides, without touching anything, which of them have to go under given [`Limits`].
//! * [`Booking`] enters a collector's new files into `.nfstat`, so that nfexpire and a collector can take turns.
//! * [`Session`] ties both to a directory and its `.nfstat`, under nfexpire's lock: it is what rexpire and a
//!   collector with `-e` use.
//!
//! ```
//! use flow_retain::{Limits, StoredFile, plan};
//!
//! let file = |hour: i64| StoredFile { path: format!("{hour}").into(), start_s: hour * 3600, allocated_bytes: 4096 };
//! let files: Vec<_> = (0..10).map(file).collect();
//! let limits = Limits { max_bytes: 20_000, max_age_s: 0, missing_bytes: 0, low_water_percent: 100 };
//! assert_eq!(plan(&files, &limits, &[], 10 * 3600, &mut |_| false).deletions.len(), 6);
//! ```
//!
//! Files are only ever unlinked, never truncated or changed, so that whoever has one open or mapped goes on
//! reading. Files whose names are not those of finished files are never touched, nor is the base directory.
//! The clock and the time zone are arguments.
#![forbid(unsafe_code)]

mod booking;
mod collector;
mod error;
mod execute;
mod inventory;
mod plan;
mod session;
mod space;
mod stat_record;
mod translation;

pub use booking::Booking;
pub use collector::collector_pid;
pub use error::RetainError;
pub use execute::{Outcome, execute};
pub use inventory::{Inventory, StoredFile};
pub use plan::{Deletion, Limits, Plan, Quota, Reason, plan};
pub use session::{Access, Directory, LimitChange, Origin, RunLimits, Session};
pub use space::MinFree;
pub use stat_record::{StatRecord, StatStatus};

//! The stores of Countersign: who may sign, and what was used already. The only SQL and the only Redis.
//!
//! In the order in which things flow:
//!
//! - [`DataLock`]: one gateway per data directory; [`RegistryLock`]: one per registry, or those that share their replay
//!   memory. Commands beside a running gateway take neither.
//! - [`secrets`]: the key under which shared secrets and private keys of our own lie in the registry.
//! - [`registry`]: partners, keys, keys of our own and their events, in SQLite; every command that changes a key goes through it.
//! - [`snapshot`]: follows the registry within a second and publishes [`countersign::Keys`], read without a lock.
//! - [`replay`]: the memory of what was admitted, with the floor that holds after an unclean end.
//! - [`users`]: whom trusted sites have vouched for, beside the registry.
//! - `suite` (feature `suite`): the contract of [`countersign::ReplayStore`] as checks over any implementation.
//!
//! There is no clock in here: who calls hands `now` in.

#![forbid(unsafe_code)]

mod clock;
mod file;
mod lock;
pub mod registry;
pub mod replay;
pub mod secrets;
pub mod snapshot;
#[cfg(any(test, feature = "suite"))]
pub mod suite;
pub mod users;

pub use clock::ClockMark;
pub use file::FileError;
pub use lock::{DataLock, LockError, RegistryLock};
pub use registry::Registry;
pub use replay::{MemoryReplay, RedisReplay};
pub use snapshot::Snapshots;
pub use users::Users;

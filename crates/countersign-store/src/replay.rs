//! The memory of what was admitted. In memory today; Redis or Valkey, shared by many gateways, comes beside it.

mod memory;
mod restart;
mod shard;
mod state_file;
#[cfg(test)]
mod tests;

pub use memory::{DEFAULT_CAPACITY, MAX_AHEAD, MemoryReplay};
pub use restart::{Reach, Start};

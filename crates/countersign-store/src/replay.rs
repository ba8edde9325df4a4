//! The memory of what was admitted. In the memory of one gateway, or in Redis or Valkey, shared by many.

mod memory;
mod per_scheme;
mod redis;
mod restart;
mod shard;
mod state_file;
#[cfg(test)]
mod tests;

pub use self::redis::{RedisAddress, RedisNumbers, RedisReplay};
pub use memory::{DEFAULT_CAPACITY, MAX_AHEAD, MemoryReplay};
pub use per_scheme::{PerScheme, Skews};
pub use restart::{Reach, Start};

//! Room to read into and to write from, one of each per thread: connections keep only what did not go through at once.

use std::cell::{Cell, RefCell};

thread_local! {
    static READ: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static WRITE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Lends out the room to read into. More than most answers take: where a read does not fill it, nothing more is there, and
/// the kernel is not asked again.
pub(super) fn read<T>(with: impl FnOnce(&mut [u8]) -> T) -> T {
    READ.with_borrow_mut(|room| {
        room.resize(READ_SIZE, 0);
        with(room)
    })
}

/// An empty buffer to write into.
pub(super) fn write() -> Vec<u8> {
    WRITE.take()
}

/// Takes one back of which all was written.
pub(super) fn written(mut buffer: Vec<u8>) {
    if buffer.capacity() <= WRITE_KEPT {
        buffer.clear();
        WRITE.set(buffer);
    }
}

const READ_SIZE: usize = 64 << 10;
const WRITE_KEPT: usize = 64 << 10;

//! Room to read into and to write from: connections keep only what did not go through at once.

use std::cell::RefCell;

thread_local! {
    static READ: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static WRITE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Lends out the thread's room to read into. More than most answers take: where a read does not fill it, nothing more is there,
/// and the kernel is not asked again.
pub(super) fn read<T>(with: impl FnOnce(&mut [u8]) -> T) -> T {
    READ.with_borrow_mut(|room| {
        room.resize(READ_SIZE, 0);
        with(room)
    })
}

/// An empty buffer to write into.
pub(super) fn write() -> Vec<u8> {
    WRITE.with_borrow_mut(Vec::pop).unwrap_or_else(|| Vec::with_capacity(WRITE_SIZE))
}

/// Takes one back that is not needed any more.
pub(super) fn written(mut buffer: Vec<u8>) {
    buffer.clear();
    if (WRITE_SIZE..=4 * WRITE_SIZE).contains(&buffer.capacity()) {
        // A thread that ends has no use for it.
        let _ = WRITE.try_with(|spare| {
            let mut spare = spare.borrow_mut();
            if spare.len() < WRITE_SPARE {
                spare.push(buffer);
            }
        });
    }
}

const READ_SIZE: usize = 64 << 10;
/// Of a usual head with a small body.
const WRITE_SIZE: usize = 4 << 10;
/// So many wait for use, per thread.
const WRITE_SPARE: usize = 64;

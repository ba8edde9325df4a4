//! Room to read into and to write from, on loan to whoever is busy: a connection between two requests has none.

use std::cell::RefCell;

use bytes::BytesMut;

/// A usual head and a small body.
pub(super) const BUFFER: usize = 8 << 10;
/// So many wait for use, per thread.
const MOST: usize = 64;

thread_local! {
    static READING: RefCell<Vec<BytesMut>> = const { RefCell::new(Vec::new()) };
    static WRITING: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// An empty buffer to read into.
pub(super) fn buffer() -> BytesMut {
    READING.with_borrow_mut(Vec::pop).unwrap_or_else(|| BytesMut::with_capacity(BUFFER))
}

/// Gives it back, whatever stands in it. What somebody still reads stays theirs.
pub(super) fn give_back(mut buffer: BytesMut) {
    buffer.clear();
    if buffer.try_reclaim(BUFFER) && buffer.capacity() <= 4 * BUFFER {
        READING.with_borrow_mut(|spare| {
            if spare.len() < MOST {
                spare.push(buffer);
            }
        });
    }
}

/// Room for the head of an answer and a small body.
pub(super) struct Out(Vec<u8>);

impl Out {
    pub(super) fn new() -> Self {
        Self(WRITING.with_borrow_mut(Vec::pop).unwrap_or_else(|| Vec::with_capacity(BUFFER / 2)))
    }
}

impl std::ops::Deref for Out {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl std::ops::DerefMut for Out {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

impl Drop for Out {
    fn drop(&mut self) {
        let mut out = std::mem::take(&mut self.0);
        out.clear();
        if out.capacity() <= 4 * BUFFER {
            // A thread that ends has no use for it.
            let _ = WRITING.try_with(|spare| {
                let mut spare = spare.borrow_mut();
                if spare.len() < MOST {
                    spare.push(out);
                }
            });
        }
    }
}

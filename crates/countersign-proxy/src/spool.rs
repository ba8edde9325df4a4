use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use bytes::{Bytes, BytesMut};
use countersign::Unavailable;

use crate::passing::Passing;

/// Room for all bodies that wait for their verdict or their upstream, together.
#[derive(Debug, Default)]
pub(crate) struct Room {
    held: AtomicU64,
}

impl Room {
    pub(crate) fn held(&self) -> u64 {
        self.held.load(Relaxed)
    }
}

/// A body while it waits. In memory; what does not fit is where files come in later.
pub(crate) struct Spool {
    kept: Kept,
    share: Share,
    limit: u64,
}

enum Kept {
    /// Nothing, or all that came, as it came.
    One(Bytes),
    /// Copied together, since a small part can hold a large buffer alive.
    Many(BytesMut),
    /// Nothing, since nothing is verified of it.
    Passing(Box<Passing>),
}

/// What a spool holds in the end.
pub(crate) enum Held {
    /// All that came.
    Kept(Bytes),
    /// What is still to come.
    Passing(Box<Passing>),
}

impl Spool {
    pub(crate) fn new(room: &Arc<Room>, limit: u64) -> Self {
        Self { kept: Kept::One(Bytes::new()), share: Share { room: Arc::clone(room), bytes: 0 }, limit }
    }

    /// A body that is passed on as it comes, and takes no room.
    pub(crate) fn passing(room: &Arc<Room>, body: Passing) -> Self {
        Self { kept: Kept::Passing(Box::new(body)), share: Share { room: Arc::clone(room), bytes: 0 }, limit: 0 }
    }

    /// Makes room for bytes that are about to be kept, here or by the scheme that reads them.
    ///
    /// # Errors
    /// [`Unavailable`] where all bodies together would be too much.
    pub(crate) fn make_room(&mut self, bytes: usize) -> Result<(), Unavailable> {
        let held = self.share.take(bytes as u64);
        if held > self.limit {
            return Err(Unavailable::new("spool", format!("{held} bytes of bodies are waiting")));
        }
        Ok(())
    }

    /// Keeps what [`countersign::Open::push`] has seen.
    pub(crate) fn write(&mut self, chunk: Bytes) {
        match &mut self.kept {
            _ if chunk.is_empty() => {}
            Kept::One(first) if first.is_empty() => self.kept = Kept::One(chunk),
            Kept::One(first) => {
                let mut all = BytesMut::with_capacity(2 * (first.len() + chunk.len()));
                all.extend_from_slice(first);
                all.extend_from_slice(&chunk);
                self.kept = Kept::Many(all);
            }
            Kept::Many(all) => all.extend_from_slice(&chunk),
            // Nobody reads what is passed on.
            Kept::Passing(_) => {}
        }
    }

    /// What was kept, and the share of the room, to be held until the bytes are gone.
    pub(crate) fn into_parts(self) -> (Held, Share) {
        let held = match self.kept {
            Kept::One(bytes) => Held::Kept(bytes),
            Kept::Many(bytes) => Held::Kept(bytes.freeze()),
            Kept::Passing(body) => Held::Passing(body),
        };
        (held, self.share)
    }
}

/// A share of the room, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    room: Arc<Room>,
    bytes: u64,
}

impl Share {
    fn take(&mut self, bytes: u64) -> u64 {
        self.bytes += bytes;
        self.room.held.fetch_add(bytes, Relaxed) + bytes
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.room.held.fetch_sub(self.bytes, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_came_and_gives_its_room_back() {
        let room = Arc::new(Room::default());
        let mut spool = Spool::new(&room, 10);
        for chunk in ["ab", "", "cd", "e"] {
            spool.make_room(chunk.len()).unwrap();
            spool.write(Bytes::from_static(chunk.as_bytes()));
        }
        let (held, share) = spool.into_parts();
        assert!(matches!(held, Held::Kept(bytes) if &bytes[..] == b"abcde") && room.held() == 5);
        let mut other = Spool::new(&room, 10);
        assert!(other.make_room(6).is_err());
        drop((share, other));
        assert_eq!(room.held(), 0);
    }
}

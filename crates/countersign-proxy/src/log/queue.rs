//! Lines on their way to the thread that writes them: gathered in one text, which it takes as a whole.

use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

/// Lines that wait, places for lines to come included.
pub(super) const QUEUE: usize = 8192;
/// Behind so many bytes the next lines are written at once.
const BATCH: usize = 64 << 10;
/// After a write, for how long lines wait for others: after a quiet time one is written at once. Waking the writer for every
/// one of them costs more than all else that is done for it.
const GATHER: Duration = Duration::from_millis(5);
/// Room that is kept for the next lines, in bytes.
const KEPT: usize = 1 << 20;

/// The way to the writer. The thread ends when it is dropped.
pub(super) struct Queue(Arc<Shared>);

struct Shared {
    waiting: Mutex<Waiting>,
    /// There is something to write.
    ready: Condvar,
    /// Lines that wait, and places that are taken for lines to come.
    taken: AtomicUsize,
    failing: AtomicBool,
    /// The thread has ended.
    ended: AtomicBool,
}

#[derive(Default)]
struct Waiting {
    text: Vec<u8>,
    lines: usize,
    /// Answered once all before it is written.
    flushes: Vec<oneshot::Sender<()>>,
    /// Whether the thread has to be woken.
    asleep: bool,
    closed: bool,
}

impl Queue {
    /// Starts the thread.
    pub(super) fn start(writer: Box<dyn Write + Send>) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            waiting: Mutex::default(),
            ready: Condvar::new(),
            taken: AtomicUsize::new(0),
            failing: AtomicBool::new(false),
            ended: AtomicBool::new(false),
        });
        let theirs = Ended(Arc::clone(&shared));
        std::thread::Builder::new().name("countersign-log".to_owned()).spawn(move || theirs.0.write(writer))?;
        Ok(Self(shared))
    }

    /// Whether lines are written.
    pub(super) fn is_working(&self) -> bool {
        !self.0.failing.load(Relaxed) && !self.0.ended.load(Relaxed)
    }

    /// Takes a place for a line to come. False where there is none.
    pub(super) fn take_place(&self) -> bool {
        let one_more = |taken| (taken < QUEUE).then_some(taken + 1);
        self.0.taken.fetch_update(Relaxed, Relaxed, one_more).is_ok()
    }

    /// Adds a line, for which there is a place where `placed` says so. False where there is none.
    pub(super) fn push(&self, line: &[u8], placed: bool) -> bool {
        if self.0.ended.load(Relaxed) || !(placed || self.take_place()) {
            return false;
        }
        let mut waiting = self.0.waiting();
        waiting.lines += 1;
        waiting.text.extend_from_slice(line);
        self.wake(waiting);
        true
    }

    /// Told once all lines so far are written.
    pub(super) fn flushed(&self) -> oneshot::Receiver<()> {
        let (done, written) = oneshot::channel();
        if !self.0.ended.load(Relaxed) {
            let mut waiting = self.0.waiting();
            waiting.flushes.push(done);
            self.wake(waiting);
        }
        written
    }

    fn wake(&self, mut waiting: MutexGuard<'_, Waiting>) {
        if std::mem::take(&mut waiting.asleep) {
            drop(waiting);
            self.0.ready.notify_one();
        }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        let mut waiting = self.0.waiting();
        waiting.closed = true;
        self.wake(waiting);
    }
}

/// However the thread ends, nobody waits for it.
struct Ended(Arc<Shared>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.ended.store(true, Relaxed);
        self.0.waiting().flushes.clear();
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, mut writer: Box<dyn Write + Send>) {
        let mut text = Vec::new();
        loop {
            let flushes = {
                let mut waiting = self.waiting();
                while waiting.text.is_empty() && waiting.flushes.is_empty() {
                    if waiting.closed {
                        return;
                    }
                    waiting.asleep = true;
                    waiting = self.ready.wait(waiting).unwrap_or_else(PoisonError::into_inner);
                }
                waiting.asleep = false;
                self.taken.fetch_sub(std::mem::take(&mut waiting.lines), Relaxed);
                std::mem::swap(&mut text, &mut waiting.text);
                std::mem::take(&mut waiting.flushes)
            };
            let written = writer.write_all(&text).and_then(|()| writer.flush());
            self.failing.store(written.is_err(), Relaxed);
            for done in flushes {
                // Whoever no longer waits does not need to know.
                let _ = done.send(());
            }
            if text.len() < BATCH {
                std::thread::sleep(GATHER);
            }
            text.clear();
            text.shrink_to(KEPT);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_leaves_its_place_to_what_comes() {
        let queue = Queue::start(Box::new(std::io::sink())).unwrap();
        for placed in [true, false, true] {
            for _ in 0..QUEUE {
                assert!(!placed || queue.take_place());
                assert!(queue.push(b"{}\n", placed));
            }
            queue.flushed().blocking_recv().unwrap();
        }
        // A place that waits for its line is one as well.
        assert!((0..QUEUE).all(|_| queue.take_place()));
        assert!(!queue.take_place() && !queue.push(b"{}\n", false) && queue.push(b"{}\n", true));
    }
}

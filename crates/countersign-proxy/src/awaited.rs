use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll};

use tokio::runtime::Handle;

/// Whether nothing is awaited any more but the answer of who is behind us. Until then a caller who leaves does not end what it
/// asked for: else nobody would hear of a refusal, and it would cost its source nothing. Clones are of the same request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Awaited(Arc<AtomicBool>);

impl Awaited {
    /// From here on it is of no use to a caller who has left.
    pub(crate) fn begin(&self) {
        self.0.store(true, Relaxed);
    }

    /// Whether that is so.
    pub(crate) fn has_begun(&self) -> bool {
        self.0.load(Relaxed)
    }

    /// The same for the next request on a connection that has one after the other.
    pub(crate) fn next(&self) -> Self {
        self.0.store(false, Relaxed);
        self.clone()
    }
}

/// An answer that goes on without whoever waited for it, up to where it is [`Awaited`].
pub(crate) struct Judged<F: Future<Output: Send> + Send + 'static> {
    answer: Option<Pin<Box<F>>>,
    awaited: Awaited,
}

impl<F: Future<Output: Send> + Send + 'static> Judged<F> {
    pub(crate) fn new(answer: F, awaited: Awaited) -> Self {
        Self { answer: Some(Box::pin(answer)), awaited }
    }
}

impl<F: Future<Output: Send> + Send + 'static> Future for Judged<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let Some(answer) = &mut self.answer else { return Poll::Pending };
        let polled = answer.as_mut().poll(cx);
        if polled.is_ready() {
            self.answer = None;
        }
        polled
    }
}

impl<F: Future<Output: Send> + Send + 'static> Drop for Judged<F> {
    fn drop(&mut self) {
        let awaited = self.awaited.clone();
        let Some(mut answer) = self.answer.take().filter(|_| !awaited.has_begun()) else { return };
        // At the end of all there is none.
        let Ok(runtime) = Handle::try_current() else { return };
        runtime.spawn(std::future::poll_fn(move |cx| {
            let polled = answer.as_mut().poll(cx);
            if polled.is_ready() || awaited.has_begun() { Poll::Ready(()) } else { Poll::Pending }
        }));
    }
}

//! What the benchmarks share: a clock that others on the machine can't disturb, a count of allocations, and the same
//! message signed and verified by Countersign and by httpsig-hyper. README.md says what is measured, and how.

pub mod allocations;
pub mod dudect;
pub mod message;
pub mod ours;
pub mod primitive;
pub mod printing;
pub mod rounds;
pub mod theirs;

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// The result of a future that waits for nothing: there is no runtime in the measurement.
pub fn ready<F: Future>(future: F) -> F::Output {
    match pin!(future).as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the future was not ready"),
    }
}

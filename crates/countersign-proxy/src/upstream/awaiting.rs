use tokio::time::Instant;

use super::condition::Condition;
use crate::course::Course;
use crate::sent::Sent;
use crate::turn;

/// A request at an upstream from when it is sent until something comes of it. Where it is dropped before, nobody awaits its
/// answer any longer.
pub(super) struct Awaiting<'a> {
    condition: &'a Condition,
    began: Instant,
    /// How many answers there were then.
    answered: u64,
    course: Option<&'a Course>,
    /// Whether all of the body goes out at once. Of a larger one it is not known here how much the upstream has taken, and of one that
    /// passes the silence may be the caller's.
    is_short: bool,
    over: bool,
}

impl<'a> Awaiting<'a> {
    /// `course` is the body's.
    pub(super) fn begin(condition: &'a Condition, body: &Sent, course: Option<&'a Course>) -> Self {
        use hyper::body::Body;
        let is_short = body.is_end_stream()
            || (matches!(body, Sent::Kept(..)) && body.size_hint().upper().is_some_and(|length| length <= SHORT));
        let (began, answered) = (turn::now(), condition.count(super::Outcome::Answered));
        Self { condition, began, answered, course, is_short, over: false }
    }

    /// Something came of it.
    pub(super) fn over(mut self) {
        self.over = true;
    }
}

impl Drop for Awaiting<'_> {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        let course = self.course;
        if !self.is_short && !course.is_some_and(Course::has_ended) {
            return self.condition.note(super::Outcome::Abandoned, "");
        }
        let since = course.map_or(self.began, |course| self.began.max(course.last_moved()));
        self.condition.abandon(self.began.into_std(), since.elapsed(), self.answered);
    }
}

/// As much as any socket takes.
const SHORT: u64 = 16 << 10;

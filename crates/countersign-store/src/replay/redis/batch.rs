//! Many uses as one command for each part of the store.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use countersign::{Quota, Seen, Timestamp};
use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline, Value};

use super::part::{Counting, Job, State, Told};
use super::reply::{spent, told, unavailable};
use super::shared::Shared;

/// What sends batches over one connection.
#[derive(Clone)]
pub(super) struct Sender {
    pub(super) shared: Arc<Shared>,
    pub(super) connection: MultiplexedConnection,
    /// What Redis calls `spend.lua`.
    pub(super) spend: Arc<str>,
}

/// What became of something that was under way.
pub(super) enum Done {
    /// All were answered.
    Answered,
    /// The mark is another one by now: these were not carried out.
    Unsettled(Vec<Job>),
    Broken(String),
}

impl Sender {
    /// Sends what can be judged, as one command per part, and answers it.
    pub(super) async fn send(mut self, jobs: Vec<Job>) -> Done {
        let counts = &self.shared.counts;
        counts.batches.fetch_add(1, Relaxed);
        counts.uses.fetch_add(jobs.iter().filter(|job| job.once.is_some()).count() as u64, Relaxed);
        let mut pipeline = Pipeline::new();
        let mut sent: Vec<Vec<Job>> = Vec::new();
        let mut by_part = jobs;
        by_part.sort_by_key(|job| job.part);
        let mut rest = by_part.into_iter().peekable();
        while let Some(part) = rest.peek().map(|job| job.part) {
            let of_part = std::iter::from_fn(|| rest.next_if(|job| job.part == part));
            if let Some((command, jobs)) = self.command(part, of_part) {
                pipeline.add_command(command);
                sent.push(jobs);
            }
        }
        if sent.is_empty() {
            return Done::Answered;
        }
        match self.connection.send_packed_commands(&pipeline, 0, sent.len()).await {
            Ok(answers) if answers.len() == sent.len() => hand_out(sent, answers),
            Ok(_) => Done::Broken("it answered something else than it was asked".to_owned()),
            // Dropped, the jobs are answered as not known: they may have been carried out.
            Err(error) => Done::Broken(told(&error)),
        }
    }

    /// The command for uses of one part; those that can't be judged are answered at once.
    fn command(&self, part: usize, jobs: impl Iterator<Item = Job>) -> Option<(Cmd, Vec<Job>)> {
        let its = &self.shared.parts[part];
        let state = its.state.load();
        let open = match &**state {
            State::Open(open) => open,
            State::Closed(why) => {
                refuse(jobs, why);
                return None;
            }
        };
        let (mut keys, mut arguments, mut sent) = (Vec::new(), Vec::new(), Vec::new());
        let mut now = None;
        for job in jobs {
            let until = match job.once.as_ref().map(|once| open.until(once, job.now)).transpose() {
                Ok(until) => until,
                Err(unavailable) => {
                    let _ = job.answer.send(Err(unavailable));
                    continue;
                }
            };
            let before = keys.len();
            if let Some(once) = &job.once {
                keys.push(its.use_key(once.first()));
                keys.extend(once.second().map(|mark| its.use_key(mark)).filter(|key| *key != keys[before]));
            }
            let marks = keys.len() - before;
            keys.extend(job.count.as_ref().map(|count| its.count_key(count)));
            let (step, burst) = job.count.as_ref().map_or((0, 0), Counting::quarters);
            arguments.push((marks, until.map_or(0, Timestamp::as_millis), step, burst));
            now = now.max(Some(job.now));
            sent.push(job);
        }
        let now = now?;
        let mut command = Cmd::new();
        command.arg("EVALSHA").arg(&*self.spend).arg(2 + keys.len()).arg(its.token_key()).arg(its.high_key());
        for key in &keys {
            command.arg(key.as_slice());
        }
        command.arg(&*open.token).arg(now.as_millis());
        for (marks, until, step, burst) in arguments {
            command.arg(marks).arg(until).arg(step).arg(burst);
        }
        Some((command, sent))
    }
}

/// Answers each use by the letter that stands for it.
fn hand_out(sent: Vec<Vec<Job>>, answers: Vec<Value>) -> Done {
    let (mut unsettled, mut broken) = (Vec::new(), None);
    for (jobs, answer) in sent.into_iter().zip(answers) {
        let answer = answer.extract_error().map_err(|error| told(&error));
        let answer = answer.and_then(|it| spent(it).ok_or_else(|| "it answered something else".to_owned()));
        match answer.as_ref().map(|(letters, ahead)| (letters.as_str(), ahead)) {
            Ok(("other", _)) => unsettled.extend(jobs),
            Ok(("clock", _)) => refuse(jobs, "its clock is off ours"),
            Ok((letters, ahead)) if letters.len() == jobs.len() && ahead.len() == counted(&jobs) => {
                let mut ahead = ahead.iter();
                for (job, letter) in jobs.into_iter().zip(letters.bytes()) {
                    let by = job.count.as_ref().and_then(|count| Some((count.quota, *ahead.next()?)));
                    // Whoever asked may be gone.
                    let _ = job.answer.send(meaning(letter, by));
                }
            }
            Ok(_) => broken = Some("it answered for another number of uses".to_owned()),
            Err(why) => {
                refuse(jobs, why);
                broken = Some(why.clone());
            }
        }
    }
    if let Some(why) = broken {
        return Done::Broken(why);
    }
    let (twice, mut once): (Vec<_>, Vec<_>) = unsettled.into_iter().partition(|job| job.again);
    refuse(twice, "its mark keeps changing");
    if once.is_empty() {
        return Done::Answered;
    }
    for job in &mut once {
        job.again = true;
    }
    Done::Unsettled(once)
}

/// What a letter stands for, and how far ahead of its quota a count is, in microseconds.
fn meaning(letter: u8, count: Option<(Quota, i64)>) -> Told {
    let tally = |refused| {
        let (quota, ahead) = count?;
        Some(quota.tally(Duration::from_micros(u64::try_from(ahead).ok()?), refused))
    };
    match letter {
        b'F' => Ok((Seen::First, tally(false))),
        b'O' => Ok((Seen::First, tally(true))),
        b'A' => Ok((Seen::Again, None)),
        _ => Err(unavailable("what could be used until then is forgotten by now")),
    }
}

fn counted(jobs: &[Job]) -> usize {
    jobs.iter().filter(|job| job.count.is_some()).count()
}

/// These were not carried out, or not so that it could be told.
fn refuse(jobs: impl IntoIterator<Item = Job>, why: &str) {
    for job in jobs {
        // Whoever asked may be gone.
        let _ = job.answer.send(Err(unavailable(why)));
    }
}

//! Many uses as one command for each part of the store.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use countersign::Seen;
use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline, Value};

use super::part::{Job, State};
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
        counts.uses.fetch_add(jobs.len() as u64, Relaxed);
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
            match open.until(&job.once, job.now) {
                Ok(until) => {
                    let before = keys.len();
                    keys.push(its.use_key(job.once.first()));
                    keys.extend(job.once.second().map(|mark| its.use_key(mark)).filter(|key| *key != keys[before]));
                    arguments.push(((keys.len() - before) as i64, until.as_millis()));
                    now = now.max(Some(job.now));
                    sent.push(job);
                }
                Err(unavailable) => drop(job.answer.send(Err(unavailable))),
            }
        }
        let now = now?;
        let mut command = Cmd::new();
        command.arg("EVALSHA").arg(&*self.spend).arg(2 + keys.len()).arg(its.token_key()).arg(its.high_key());
        for key in &keys {
            command.arg(key.as_slice());
        }
        command.arg(&*open.token).arg(now.as_millis());
        for (marks, until) in arguments {
            command.arg(marks).arg(until);
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
        match answer.as_deref() {
            Ok("other") => unsettled.extend(jobs),
            Ok("clock") => refuse(jobs, "its clock is off ours"),
            Ok(letters) if letters.len() == jobs.len() => {
                for (job, letter) in jobs.into_iter().zip(letters.bytes()) {
                    let _ = job.answer.send(match letter {
                        b'F' => Ok(Seen::First),
                        b'A' => Ok(Seen::Again),
                        _ => Err(unavailable("what could be used until then is forgotten by now")),
                    });
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

/// These were not carried out, or not so that it could be told.
fn refuse(jobs: impl IntoIterator<Item = Job>, why: &str) {
    for job in jobs {
        // Whoever asked may be gone.
        let _ = job.answer.send(Err(unavailable(why)));
    }
}

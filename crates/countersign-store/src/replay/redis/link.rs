use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, ConnectionInfo, Pipeline, Value};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::batch::{Done, Sender};
use super::info::Server;
use super::part::{Job, Open, State};
use super::reply::{ANSWER, found_in, text_of, told};
use super::settle::{Found, OFF, settle};
use super::shared::Shared;

/// One connection to one server, and the parts of the store that lie there. It takes what waits, sends it as one command
/// per part, and looks at the mark twice a second. Nothing is ever sent a second time once it may have been carried out.
pub(super) struct Link {
    shared: Arc<Shared>,
    /// Which parts lie there.
    parts: Vec<usize>,
    cluster: bool,
    sender: Sender,
    /// Into the queue: for the parts that open.
    entry: mpsc::Sender<Job>,
    queue: mpsc::Receiver<Job>,
    /// The process that answered last, and when.
    steady: Option<(String, Instant)>,
}

/// What a look made of a part.
enum Settled {
    Open(Open),
    Closed(String),
    /// Another gateway changed the mark meanwhile.
    Overtaken,
}

impl Link {
    /// Connects. Parts open once their marks are settled, which [`Link::run`] does first.
    pub(super) async fn open(
        shared: Arc<Shared>,
        parts: Vec<usize>,
        server: ConnectionInfo,
        cluster: bool,
    ) -> Result<Self, String> {
        let mut connection = connect(server).await?;
        let mut load = Cmd::new();
        load.arg("SCRIPT").arg("LOAD").arg(SPEND);
        let spend = match connection.send_packed_command(&load).await.and_then(Value::extract_error) {
            Ok(value) => text_of(value).ok_or("it does not load scripts")?,
            Err(error) => return Err(told(&error)),
        };
        let sender = Sender { shared: Arc::clone(&shared), connection, spend: spend.into() };
        let (entry, queue) = mpsc::channel(WAITING);
        Ok(Self { shared, parts, cluster, sender, entry, queue, steady: None })
    }

    /// Serves until the connection can't be trusted any more, and says why. Its parts are closed then.
    pub(super) async fn run(mut self) -> String {
        let why = self.serve().await;
        for &part in &self.parts {
            self.shared.parts[part].close(why.clone());
        }
        why
    }

    async fn serve(&mut self) -> String {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut under_way = JoinSet::new();
        let mut waiting = Vec::new();
        loop {
            tokio::select! {
                biased;
                Some(done) = under_way.join_next() => match done {
                    Ok(Done::Answered) => {}
                    Ok(Done::Broken(why)) => return why,
                    Ok(Done::Unsettled(jobs)) => {
                        if let Err(why) = self.settle_all().await {
                            return why;
                        }
                        under_way.spawn(self.sender.clone().send(jobs));
                    }
                    Err(fault) => return fault.to_string(),
                },
                _ = looks.tick() => {
                    if let Err(why) = self.settle_all().await {
                        return why;
                    }
                }
                count = self.queue.recv_many(&mut waiting, BATCH), if under_way.len() < AT_ONCE => {
                    if count == 0 {
                        return "the gateway is ending".to_owned();
                    }
                    under_way.spawn(self.sender.clone().send(std::mem::take(&mut waiting)));
                }
            }
        }
    }

    /// Looks at the marks of all parts, and opens or closes each. An error breaks the link.
    async fn settle_all(&mut self) -> Result<(), String> {
        timeout(SETTLE, self.settle_parts()).await.map_err(|_| "it takes too long".to_owned())?
    }

    async fn settle_parts(&mut self) -> Result<(), String> {
        let mut parts = self.parts.clone();
        for _ in 0..ATTEMPTS {
            let (server, found) = self.look(&parts).await?;
            if let Err(why) = self.is_fit(&server) {
                self.close(&parts, &why);
                return Ok(());
            }
            let steady =
                self.steady.as_ref().is_some_and(|(run_id, at)| *run_id == server.run_id && at.elapsed() < STEADY);
            let mut again = Vec::new();
            for (part, found) in parts.into_iter().zip(found) {
                match self.settle(part, &found?, &server, steady).await? {
                    Settled::Open(open) => self.shared.parts[part].state.store(Arc::new(State::Open(open))),
                    Settled::Closed(why) => self.shared.parts[part].close(why),
                    Settled::Overtaken => again.push(part),
                }
            }
            self.steady = Some((server.run_id, Instant::now()));
            parts = again;
            if parts.is_empty() {
                return Ok(());
            }
        }
        self.close(&parts, "too many gateways change its mark at once");
        Ok(())
    }

    fn is_fit(&self, server: &Server) -> Result<(), String> {
        if server.cluster != self.cluster {
            let right = if server.cluster { "redis+cluster://" } else { "redis://" };
            return Err(format!("the url says something else than the server, which is one for {right}"));
        }
        server.is_fit()
    }

    fn close(&self, parts: &[usize], why: &str) {
        for part in parts {
            self.shared.parts[*part].close(why);
        }
    }

    /// Brings the mark of a part to what it has to be.
    async fn settle(&mut self, part: usize, found: &Found, server: &Server, steady: bool) -> Result<Settled, String> {
        let shared = Arc::clone(&self.shared);
        let its = &shared.parts[part];
        let off = found.now.as_millis() - (shared.clock)().as_millis();
        shared.counts.clock_offset.store(off, Relaxed);
        if u128::from(off.unsigned_abs()) > OFF.as_millis() {
            return Ok(Settled::Closed(format!("its clock is {} s off ours", off / 1000)));
        }
        let known = shared.known(&its.name);
        let (mark, loss) = settle(found, server, &known, shared.reach(), steady, random().ok_or("no randomness")?);
        let text = mark.to_text();
        let token = if text == found.mark && !found.token.is_empty() {
            found.token.clone()
        } else {
            let token = random().ok_or("no randomness")?;
            if !self.commit(part, found, &token, &text).await? {
                return Ok(Settled::Overtaken);
            }
            if let Some(loss) = loss {
                shared.lost(loss);
            }
            token
        };
        if let Err(error) = shared.note(&its.name, &mark).await {
            return Ok(Settled::Closed(error));
        }
        if found.now < mark.opens {
            return Ok(Settled::Closed("its memory begins now".to_owned()));
        }
        Ok(Settled::Open(Open { token: token.into(), mark: Arc::new(mark), queue: self.entry.clone() }))
    }

    /// What the server says of itself, and what lies there for each part; a replica does not tell the latter.
    async fn look(&mut self, parts: &[usize]) -> Result<(Server, Vec<Result<Found, String>>), String> {
        let mut pipeline = Pipeline::new();
        for section in SECTIONS {
            pipeline.cmd("INFO").arg(section);
        }
        for part in parts.iter().map(|part| &self.shared.parts[*part]) {
            let keys = [part.token_key(), part.mark_key(), part.high_key()];
            pipeline.cmd("EVAL").arg(LOOK_SCRIPT).arg(3).arg(&keys);
        }
        let count = SECTIONS.len() + parts.len();
        let answers =
            self.sender.connection.send_packed_commands(&pipeline, 0, count).await.map_err(|error| told(&error))?;
        let mut answers = answers.into_iter().map(|answer| answer.extract_error().map_err(|error| told(&error)));
        let mut info = String::new();
        for section in answers.by_ref().take(SECTIONS.len()) {
            info.push_str(&text_of(section?).ok_or("it did not answer INFO")?);
        }
        let server = Server::read(&info).map_err(|missing| format!("its INFO has no {missing}"))?;
        let other = || "it answered something else than it was asked".to_owned();
        let found: Vec<_> = answers.map(|answer| answer.and_then(|it| found_in(it).ok_or_else(other))).collect();
        if found.len() == parts.len() { Ok((server, found)) } else { Err(other()) }
    }

    async fn commit(&mut self, part: usize, found: &Found, token: &str, mark: &str) -> Result<bool, String> {
        let part = &self.shared.parts[part];
        let mut command = Cmd::new();
        command.arg("EVAL").arg(COMMIT).arg(3).arg(part.token_key()).arg(part.mark_key()).arg(part.high_key());
        command.arg(&found.token).arg(found.now.as_millis()).arg(token).arg(mark);
        let answer = self.sender.connection.send_packed_command(&command).await.and_then(Value::extract_error);
        Ok(answer.map_err(|error| told(&error))? == Value::Int(1))
    }
}

pub(super) async fn connect(server: ConnectionInfo) -> Result<MultiplexedConnection, String> {
    let client = Client::open(server).map_err(|error| told(&error))?;
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT))
        .set_response_timeout(Some(ANSWER))
        .set_pipeline_buffer_size(AT_ONCE + 2);
    client.get_multiplexed_async_connection_with_config(&config).await.map_err(|error| told(&error))
}

fn random() -> Option<String> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).ok()?;
    Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

const SECTIONS: [&str; 5] = ["server", "replication", "memory", "stats", "cluster"];

const SPEND: &str = include_str!("spend.lua");
const LOOK_SCRIPT: &str = include_str!("look.lua");
const COMMIT: &str = include_str!("commit.lua");

const CONNECT: Duration = Duration::from_secs(1);
const SETTLE: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(500);
/// Between two looks at most, for a process to count as the same all along.
const STEADY: Duration = Duration::from_secs(5);
const ATTEMPTS: usize = 5;
/// Uses that wait at most: what one connection spends in a tenth of a second.
const WAITING: usize = 8192;
/// Uses in one command at most: the store does nothing else meanwhile, for a millisecond or less.
const BATCH: usize = 256;
/// Commands under way at once: one is carried out while the next is on its way.
const AT_ONCE: usize = 2;

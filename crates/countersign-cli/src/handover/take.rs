use std::io;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use countersign_proxy::Sockets;
use serde_json::Value;
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::channel::Channel;
use super::{GO, HELLO, NOT_YOURS, READY, STOP, STOPPED, UNKNOWN_VERSION, path};
use crate::exit::Failure;
use crate::output;
use crate::serve::HandedLocks;

/// What a process that serves hands to the one that takes over.
pub(crate) struct Handed {
    /// Whether it remembers where others do, too.
    pub(crate) shared_memory: bool,
    pub(crate) locks: HandedLocks,
    pub(crate) sockets: Sockets,
    pub(crate) predecessor: Predecessor,
}

/// The process that serves, as long as it has not stood back.
pub(crate) struct Predecessor(Channel);

/// What comes of asking.
pub(crate) enum Found {
    /// There is nobody to ask.
    Nobody,
    /// Who was asked left before it answered: it has ended, or handed over to somebody else.
    Left,
    /// All that it has.
    Estate(Box<Handed>),
}

/// Asks the gateway that serves on this data directory for what it has.
///
/// # Errors
/// Where there is one that does not answer, says that it hands over nothing, or hands over other than this version knows.
pub(crate) async fn find(data: &Path) -> Result<Found, Failure> {
    let path = path(data);
    let stream = match UnixStream::connect(&path).await {
        Ok(stream) => stream,
        Err(fault) if matches!(fault.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            return Ok(Found::Nobody);
        }
        Err(fault) => return Err(Failure::ours(format!("can't reach the gateway by {}: {fault}", path.display()))),
    };
    let mut channel = Channel::new(stream);
    let manifest = match ask(&mut channel).await {
        Err(fault) if LEFT.contains(&fault.kind()) => return Ok(Found::Left),
        Ok(said) if said == NOT_YOURS => {
            let what = format!("the gateway that serves on {} is another user's: it said \"{said}\"", data.display());
            return Err(Failure::usage(what).hint("run this one as the same user, as the directory's owner or as root"));
        }
        Ok(said) if said == UNKNOWN_VERSION => {
            let what = format!("the gateway that serves can't be taken over by this version: it said \"{said}\"");
            return Err(Failure::usage(what).hint("stop it, and start this one without --take-over"));
        }
        manifest => manifest,
    };
    let handed = async {
        let manifest: Value = serde_json::from_str(&manifest?).map_err(io::Error::other)?;
        let flag = |name: &str| manifest[name].as_bool().ok_or(io::Error::from(io::ErrorKind::InvalidData));
        let (shared_memory, its_data, admin) = (flag("shared_memory")?, flag("its_data")?, flag("admin")?);
        let count = manifest["sockets"].as_u64().and_then(|count| usize::try_from(count).ok());
        let count = count.filter(|count| *count <= MOST_SOCKETS).ok_or(io::ErrorKind::InvalidData)?;
        let count = [true, !shared_memory, its_data, admin].map(usize::from).iter().sum::<usize>() + count;
        let mut all = channel.take(count, ANSWER).await?.into_iter();
        let mut next = || all.next().ok_or(io::Error::from(io::ErrorKind::UnexpectedEof));
        let data = next()?;
        let registry = if shared_memory { None } else { Some(next()?) };
        let its_data = if its_data { Some(next()?) } else { None };
        let admin = if admin { Some(TcpListener::from(next()?)) } else { None };
        let sockets = Sockets { listen: all.map(TcpListener::from).collect(), admin, kept_open: false };
        Ok((shared_memory, HandedLocks { data, registry, its_data }, sockets))
    };
    let (shared_memory, locks, sockets) = handed.await.map_err(|fault: io::Error| {
        Failure::ours(format!("the gateway that serves hands nothing over: {fault}"))
            .hint("stop it, and start this one without --take-over")
    })?;
    Ok(Found::Estate(Box::new(Handed { shared_memory, locks, sockets, predecessor: Predecessor(channel) })))
}

/// What there is, in its words. Only one process takes over at a time: others wait until it did, or did not.
async fn ask(channel: &mut Channel) -> io::Result<String> {
    // It may have said that it hands over nothing and closed before it was asked.
    let said = channel.say(&format!("{HELLO}{}", std::process::id())).await;
    let mut heard = std::pin::pin!(channel.hear(BUSY));
    match timeout(ANSWER, &mut heard).await {
        Ok(heard) => heard.or_else(|fault| said.and(Err(fault))),
        Err(_) => {
            let hints = ["it may be handing over to another process; this one waits".to_owned()];
            output::warning("the gateway that serves does not answer yet", &hints);
            heard.await
        }
    }
}

impl Predecessor {
    /// Has it decide what is at hand and nothing more. Once this returns, its replay memory can be read.
    ///
    /// # Errors
    /// Where it does not stand back; then it goes on.
    pub(crate) async fn stop(&mut self) -> Result<(), Failure> {
        let stopped = async {
            self.0.say(STOP).await?;
            self.0.expect(STOPPED, STOPPING).await
        };
        stopped.await.map_err(|fault| Failure::ours(format!("the gateway that serves did not stand back: {fault}")))
    }

    /// Tells it that all is ready here. Once this returns, it never decides again.
    ///
    /// # Errors
    /// Where it has gone on meanwhile: then this process must not serve.
    pub(crate) async fn replace(&mut self) -> Result<(), Failure> {
        let replaced = async {
            self.0.say(READY).await?;
            self.0.expect(GO, ANSWER).await
        };
        replaced.await.map_err(|fault| Failure::ours(format!("the gateway that serves goes on: {fault}")))
    }
}

const LEFT: [io::ErrorKind; 3] =
    [io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe, io::ErrorKind::UnexpectedEof];
const ANSWER: Duration = Duration::from_secs(10);
/// As long as another process may take to take over, or not to.
const BUSY: Duration = Duration::from_secs(180);
/// Longer than what may be configured for it, and for the writing of millions of marks.
const STOPPING: Duration = Duration::from_secs(120);
const MOST_SOCKETS: usize = 16_384;

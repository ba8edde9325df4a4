use std::fs::Permissions;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use countersign_proxy::{Clock, Control, Sockets};
use serde_json::json;
use tokio::net::{UnixListener, UnixStream};
use tokio::time::Instant;

use super::channel::Channel;
use super::{GO, HELLO, NOT_YOURS, READY, STOP, STOPPED, UNKNOWN_VERSION, path};
use crate::output;
use crate::replay::Replay;
use crate::serve::Locks;

/// The side of the process that serves: lets another one take over.
pub(crate) struct Offer<'a> {
    pub(crate) control: Control,
    pub(crate) replay: Replay,
    pub(crate) clock: Clock,
    pub(crate) locks: &'a Locks,
    pub(crate) sockets: Sockets,
    /// Where another process asks.
    pub(crate) door: Door,
    /// How long what is at hand may take to be decided.
    pub(crate) limit: Duration,
}

impl Offer<'_> {
    /// Ready once another process has taken over, with its id. Whatever else happens, this one goes on.
    pub(crate) async fn until_taken(&self) -> u32 {
        let data = self.locks.data().dir();
        let mut told: Option<(String, Instant)> = None;
        loop {
            let Ok((stream, _)) = self.door.listener.accept().await else {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let asked = whose(&stream, data);
            let mut channel = Channel::new(stream);
            let why = match asked {
                Ok(()) => match self.hand_over(channel).await {
                    Ok(pid) => return pid,
                    Err(why) => why,
                },
                Err(why) => {
                    let _ = channel.say(NOT_YOURS).await;
                    why
                }
            };
            // Who asks again and again, and is told the same each time, fills no log.
            if told.as_ref().is_none_or(|(before, since)| *before != why || since.elapsed() >= REPEATED) {
                self.control.note("not handed over", &why);
                output::warning(format!("nobody took over: {why}"), &["this process goes on".to_owned()]);
                told = Some((why, Instant::now()));
            }
        }
    }

    async fn hand_over(&self, mut channel: Channel) -> Result<u32, String> {
        let words = |what: &'static str| move |fault: io::Error| format!("{what}: {fault}");
        let hello = channel.hear(HELLO_TIME).await.map_err(words("it did not say who it is"))?;
        let Some(pid) = hello.strip_prefix(HELLO).and_then(|pid| pid.parse::<u32>().ok()) else {
            let _ = channel.say(UNKNOWN_VERSION).await;
            // Without what differs from one asker to the next.
            let words = hello.trim_end_matches(|last: char| last.is_ascii_digit()).trim_end();
            return Err(format!("it said \"{}\"", words.escape_debug()));
        };
        let (manifest, descriptors) = self.estate();
        channel.say(&manifest).await.map_err(words("it left"))?;
        channel.give(&descriptors).await.map_err(words("it did not take what it got"))?;
        channel.expect(STOP, PREPARING).await.map_err(words("it did not get ready"))?;

        self.control.note("handing over", &format!("to process {pid}"));
        match self.stand_back(&mut channel).await {
            Ok(()) => {
                self.door.successor.0.store(pid, Relaxed);
                self.control.hand_over();
                self.control.note("handed over", &format!("to process {pid}"));
                // It closes once it has told whoever watches that it is the one to watch.
                channel.until_closed(SETTLING).await;
                Ok(pid)
            }
            Err(fault) => {
                drop(channel);
                self.go_on().await;
                Err(format!("process {pid} did not take over: {fault}"))
            }
        }
    }

    /// What there is, and its descriptors in this order.
    fn estate(&self) -> (String, Vec<BorrowedFd<'_>>) {
        let Sockets { listen, admin, .. } = &self.sockets;
        let shared_memory = self.replay.is_shared();
        // A registry that is shared is free for the other one, too.
        let (registry, its_data) = if shared_memory { (None, None) } else { self.locks.registry() };
        let manifest = json!({
            "shared_memory": shared_memory,
            "its_data": its_data.is_some(),
            "admin": admin.is_some(),
            "sockets": listen.len(),
        });
        let locks = [Some(self.locks.data().as_fd()), registry, its_data].into_iter().flatten();
        let sockets = admin.iter().chain(listen).map(AsFd::as_fd);
        (manifest.to_string(), locks.chain(sockets).collect())
    }

    /// # Errors
    /// Where the other one is not ready in time, or could not be told to go.
    async fn stand_back(&self, channel: &mut Channel) -> io::Result<()> {
        self.control.stop_deciding(self.limit).await;
        let (replay, now) = (self.replay.clone(), self.clock.now());
        let closed = tokio::task::spawn_blocking(move || replay.close(now)).await;
        closed.map_err(io::Error::other)?.map_err(io::Error::other)?;
        channel.say(STOPPED).await?;
        channel.expect(READY, READING).await?;
        channel.say(GO).await
    }

    /// Decides again. Where the memory can't be opened again, nobody does until it can: `unavailable`, and nothing forwarded.
    async fn go_on(&self) {
        let mut told = false;
        loop {
            let replay = self.replay.clone();
            match tokio::task::spawn_blocking(move || replay.reopen()).await {
                Ok(Ok(())) => break,
                fault if !told => {
                    let why = fault.map_or_else(
                        |fault| fault.to_string(),
                        |fault| fault.err().map(|fault| fault.to_string()).unwrap_or_default(),
                    );
                    let hints = ["requests are answered 503 until it can be".to_owned()];
                    output::warning(format!("the replay memory can't be opened again: {why}"), &hints);
                    told = true;
                }
                _ => {}
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        self.control.resume();
    }
}

/// The socket that a process asks at which wants to take over, and the file that leads to it.
pub(crate) struct Door {
    listener: UnixListener,
    path: PathBuf,
    /// Once another process has taken over: the file is its own to put there, and to remove.
    successor: Successor,
}

impl Door {
    /// In place of what is there, so only for whoever has the lock, and has it alone. Opened before anybody is told that this
    /// process serves: who asks from then on waits here until it is heard.
    ///
    /// `None`, with a warning, where it can't be: then nobody can take over.
    pub(crate) fn open(data: &Path) -> Option<Self> {
        let path = path(data);
        let opened = Self::at(&path);
        if let Err(fault) = &opened {
            let hints = ["a restart will take callers again only when the new process listens".to_owned()];
            output::warning(format!("nobody can take over: {}: {fault}", path.display()), &hints);
        }
        opened.ok()
    }

    /// Who has taken over, as soon as it may serve.
    pub(crate) fn successor(&self) -> Successor {
        self.successor.clone()
    }

    fn at(path: &Path) -> io::Result<Self> {
        let new = path.with_extension("new");
        if let Err(fault) = std::fs::remove_file(&new)
            && fault.kind() != io::ErrorKind::NotFound
        {
            return Err(fault);
        }
        let listener = UnixListener::bind(&new)?;
        std::fs::set_permissions(&new, Permissions::from_mode(0o600))?;
        std::fs::rename(&new, path)?;
        Ok(Self { listener, path: path.to_owned(), successor: Successor::default() })
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        if self.successor.pid().is_none() {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// The process that has taken over, where one has.
#[derive(Clone, Default)]
pub(crate) struct Successor(Arc<AtomicU32>);

impl Successor {
    /// Its id.
    pub(crate) fn pid(&self) -> Option<u32> {
        Some(self.0.load(Relaxed)).filter(|pid| *pid > 0)
    }
}

/// Whether it is somebody's who may have all that there is; else why not.
fn whose(stream: &UnixStream, data: &Path) -> Result<(), String> {
    let peer = stream.peer_cred().map_err(|fault| format!("nobody knows whose it is: {fault}"))?.uid();
    let owner = std::fs::metadata(data).map_err(|fault| format!("{}: {fault}", data.display()))?.uid();
    let own = rustix::process::geteuid().as_raw();
    if may_have_all(peer, owner, own) {
        Ok(())
    } else {
        Err(format!("it is of user {peer}, and this one of user {own}"))
    }
}

/// Root could take all of it anyway; so could the directory's owner, and who runs as this process does. Where a volume is a
/// group's (`fsGroup` of Kubernetes), those are two.
fn may_have_all(peer: u32, owner: u32, own: u32) -> bool {
    peer == 0 || peer == owner || peer == own
}

const HELLO_TIME: Duration = Duration::from_secs(5);
/// Here nobody waits for it.
const PREPARING: Duration = Duration::from_secs(60);
/// Here all callers do: as long as it takes to read millions of marks.
const READING: Duration = Duration::from_secs(15);
const SETTLING: Duration = Duration::from_secs(5);
/// So long the same reason is not told again.
const REPEATED: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_handed_to_root_to_the_owner_and_to_whoever_runs_as_we_do_and_to_nobody_else() {
        for (peer, owner, own, may) in [(0, 7, 7, true), (7, 7, 8, true), (8, 0, 8, true), (9, 0, 8, false)] {
            assert_eq!(may_have_all(peer, owner, own), may, "{peer} {owner} {own}");
        }
    }
}

//! Users whom trusted sites have vouched for, beside the registry.
//!
//! [`Users`] is what a gateway asks on its path: [`Users::register`] returns once a new user is durable, with many of them in
//! one transaction; [`Users::login`] finds those of a partner. `table` is what an operator asks of the same rows, over the
//! [`Registry`]. An e-mail address is an [`Email`] before it gets anywhere near them; `skeletons` says what those look like who
//! are there already.

mod email;
mod local_part;
mod skeletons;
mod table;
mod writer;

use std::time::Duration;

use countersign::{Timestamp, Unavailable};
use tokio::sync::{mpsc, oneshot};

pub use email::{Email, InvalidEmail};
pub use skeletons::Lookalikes;
pub use table::{User, UserState};

use crate::registry::{Error, Registry};
use writer::{Waiting, Writer};

/// The users of a deployment. Cheap to clone; all clones, and all processes on the same registry, see the same ones.
#[derive(Clone, Debug)]
pub struct Users {
    registry: Registry,
    queue: mpsc::Sender<Waiting>,
}

/// Whom a site vouches for, for the first time.
#[derive(Clone, Debug)]
pub struct NewUser<'a> {
    /// The address.
    pub email: &'a Email,
    /// The id of the key that signed.
    pub site: &'a str,
    /// Whose key that is.
    pub partner: &'a str,
    /// What the user starts with.
    pub credits: u64,
}

/// Why there is no user to give back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoUser {
    /// Somebody has the address already, or one that looks like it.
    #[error("the e-mail is registered already")]
    Taken,
    /// Nobody whom this partner may log in has it.
    #[error("this partner registered nobody with this e-mail")]
    Unknown,
    /// We failed.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Users {
    /// Over this registry. What writes ends with the last clone. Runs inside a tokio runtime, and may be asked from others.
    ///
    /// # Errors
    /// [`Error`] where the registry has no connection to write by.
    pub async fn open(registry: &Registry) -> Result<Self, Error> {
        skeletons::fill(registry).await?;
        let (queue, waiting) = mpsc::channel(QUEUE);
        let writer = Writer::new(registry).await?;
        tokio::spawn(writer.run(waiting));
        Ok(Self { registry: registry.clone(), queue })
    }

    /// Registers a user. When this returns one, it is durable: no crash loses it. Of any number of calls for one address, or for
    /// addresses that look alike, in any number of processes, one gets a user and all others [`NoUser::Taken`].
    ///
    /// # Errors
    /// [`NoUser::Taken`]; [`NoUser::Unavailable`] where the database does not do it: then nothing was registered, unless it
    /// took so long that nobody waited for it any more.
    pub async fn register(&self, new: NewUser<'_>, now: Timestamp) -> Result<User, NoUser> {
        let user = User {
            id: random_id()?,
            email: new.email.as_str().to_owned(),
            registered_via: new.site.to_owned(),
            partner: new.partner.to_owned(),
            credits_remaining: new.credits.min(MOST_CREDITS),
            state: UserState::Active,
            registered: now,
        };
        let (answer, answered) = oneshot::channel();
        let asked = async {
            let closed = || unavailable("what writes it has ended");
            let skeleton = new.email.skeleton();
            self.queue.send(Waiting { user: user.clone(), skeleton, answer }).await.map_err(|_| closed())?;
            answered.await.map_err(|_| closed())?
        };
        let is_new =
            tokio::time::timeout(PATIENCE, asked).await.map_err(|_| unavailable("it did not answer in time"))??;
        if is_new { Ok(user) } else { Err(NoUser::Taken) }
    }

    /// Finds a user whom a key of this partner registered, or with `shared` one of any partner, by the address in any spelling
    /// ([`Email::fold`]). It may be one that nobody could register today.
    ///
    /// # Errors
    /// [`NoUser::Unknown`], also for a user who is suspended, and for what is no address; [`NoUser::Unavailable`] where the
    /// database does not answer.
    pub async fn login(&self, address: &str, partner: &str, shared: bool) -> Result<User, NoUser> {
        let form = Email::fold(address).ok_or(NoUser::Unknown)?;
        let asked = self.registry.user(&form);
        let found =
            tokio::time::timeout(PATIENCE, asked).await.map_err(|_| unavailable("it did not answer in time"))?;
        let user = found.map_err(unavailable)?.ok_or(NoUser::Unknown)?;
        let may = shared || user.partner == partner;
        if may && user.state == UserState::Active { Ok(user) } else { Err(NoUser::Unknown) }
    }
}

fn unavailable(detail: impl std::fmt::Display) -> Unavailable {
    Unavailable::new("user store", detail)
}

/// A random UUID (RFC 9562 §5.4): it says nothing of who, when or how many.
fn random_id() -> Result<String, Unavailable> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| unavailable("no randomness"))?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = String::with_capacity(36);
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    Ok(text)
}

/// Registrations that wait; who comes beyond them waits to wait.
const QUEUE: usize = 1024;

/// Longer than SQLite waits for another writer, so that its own word is heard where it has one.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a column holds.
const MOST_CREDITS: u64 = i64::MAX as u64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_random_uuids() {
        let (one, other) = (random_id().unwrap(), random_id().unwrap());
        assert_ne!(one, other);
        for id in [one, other] {
            assert_eq!(id.len(), 36);
            assert_eq!(id.as_bytes()[14], b'4', "{id}");
            assert!(b"89ab".contains(&id.as_bytes()[19]), "{id}");
        }
    }
}

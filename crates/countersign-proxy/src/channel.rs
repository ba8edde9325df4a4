//! What a caller's connection proves of it, judged anew for every request: the handshake may be hours ago.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use countersign::{Code, Rejection, Timestamp};
use http::HeaderValue;

use crate::tls::{ClientAuth, Shown};

/// A caller's connection.
pub(crate) struct Channel {
    peer: IpAddr,
    secure: bool,
    shown: Option<Shown>,
    /// By whom the certificate was judged good last, and until when that holds.
    good: Mutex<Option<(Weak<ClientAuth>, Timestamp)>>,
    over: AtomicBool,
}

/// Who is at the other end.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) address: IpAddr,
    /// The one partner that its certificate names.
    pub(crate) partner: Option<Arc<str>>,
    /// Its certificate as an upstream is told of it.
    pub(crate) certificate: Option<HeaderValue>,
    /// Whether a trusted proxy speaks for it: then that says which certificate it was shown.
    pub(crate) by_proxy: bool,
}

impl Channel {
    /// A connection in the clear.
    pub(crate) fn plain(peer: IpAddr) -> Self {
        Self { peer, secure: false, shown: None, good: Mutex::default(), over: AtomicBool::new(false) }
    }

    /// A connection after its handshake, with what the caller showed there.
    pub(crate) fn secured(peer: IpAddr, shown: Option<Shown>) -> Self {
        Self { secure: true, shown, ..Self::plain(peer) }
    }

    /// The address of the caller.
    pub(crate) fn peer(&self) -> IpAddr {
        self.peer
    }

    pub(crate) fn is_secure(&self) -> bool {
        self.secure
    }

    /// Whether the caller's certificate was refused since the handshake: then nothing more is heard on this connection.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Relaxed)
    }

    /// Who calls, by what is in force now.
    ///
    /// # Errors
    /// `channel_mismatch` where the certificate has ended or was revoked since it was shown, is no longer of an authority
    /// that we know, or is asked for and not there. The connection is over then.
    pub(crate) fn caller(&self, auth: Option<&Arc<ClientAuth>>, now: Timestamp) -> Result<Caller, Rejection> {
        let nobody = Caller { address: self.peer, partner: None, certificate: None, by_proxy: false };
        match (auth, &self.shown) {
            _ if self.is_over() => Err(ended("it was refused before")),
            (None, _) => Ok(nobody),
            (Some(auth), None) if !auth.required() => Ok(nobody),
            (Some(_), None) => {
                self.over.store(true, Relaxed);
                Err(ended("one is asked for by now, and there is none"))
            }
            (Some(auth), Some(shown)) => {
                self.judge(shown, auth, now)?;
                Ok(Caller { partner: shown.partner(), certificate: Some(shown.header()), ..nobody })
            }
        }
    }

    fn judge(&self, shown: &Shown, auth: &Arc<ClientAuth>, now: Timestamp) -> Result<(), Rejection> {
        let mut good = self.good.lock().unwrap_or_else(PoisonError::into_inner);
        let still = |(by, until): &(Weak<ClientAuth>, Timestamp)| now < *until && by.as_ptr() == Arc::as_ptr(auth);
        if good.as_ref().is_some_and(still) {
            return Ok(());
        }
        if let Err(why) = shown.judge(auth, now) {
            self.over.store(true, Relaxed);
            return Err(ended(&why));
        }
        *good = Some((Arc::downgrade(auth), shown.good_until(auth)));
        Ok(())
    }
}

fn ended(why: &str) -> Rejection {
    Rejection::new(Code::ChannelMismatch, format!("the client certificate of this connection no longer counts: {why}"))
}

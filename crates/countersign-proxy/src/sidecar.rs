//! The sidecar: signs for a sender beside it that knows nothing of signatures.

mod errand;
mod guard;
mod listen;
mod sealing;

use std::fmt;
use std::future::Future;
use std::io::{self, Write};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::Duration;

use countersign::{Form, Origin, Pointer, SealingKey, Signer, Unavailable};
use http::{Response, header};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::timeout;

use crate::arrival::Opening;
use crate::client_certificate::ClientCertificate;
use crate::clock::Clock;
use crate::framing;
use crate::front::Front;
use crate::headers;
use crate::inbound::Inbound;
use crate::log::{Entry, Log};
use crate::metrics::Metrics;
use crate::refusal;
use crate::reply::Reply;
use crate::settings::{InvalidSettings, Limits, Protocol};
use crate::spool::Room;
use crate::tls;
use crate::trace::TraceId;
use crate::upstream::{Destination, Pool, Upstreams};

pub use guard::Allow;
pub use listen::{Address, SocketFile};

/// What a sidecar is told at its start.
#[derive(Clone, Debug)]
pub struct SidecarSettings {
    /// Where the sender reaches it.
    pub listen: Address,
    /// Whom a Unix socket opens to.
    pub socket: SocketFile,
    /// Whether others than this machine may borrow the signature.
    pub allow_remote: bool,
    /// Where it sends what it signed. Its authority is the `Host`, and `@authority`.
    pub to: Origin,
    /// Which HTTP is spoken there.
    pub protocol: Protocol,
    /// What is shown there, over TLS, if a certificate is asked for.
    pub client_certificate: Option<ClientCertificate>,
    /// In which form it signs, and under which key id.
    pub form: Form,
    /// What it signs; empty for everything.
    pub allow: Vec<Allow>,
    /// What it seals before it signs.
    pub seal: Option<SidecarSeal>,
    /// The largest body, in bytes: it is kept in memory while it is signed.
    pub max_body: u64,
    /// How much of what it takes.
    pub limits: Limits,
}

/// Fields that only the recipient behind the destination reads.
#[derive(Clone)]
pub struct SidecarSeal {
    /// What is sealed, and has to be there: a body that lacks one is refused, and nothing is sent.
    pub fields: Vec<Pointer>,
    /// What is sealed where it is there.
    pub if_present: Vec<Pointer>,
    /// For whom: asked for every message, since recipients rotate their keys. An error is answered with 503, and nothing is
    /// sent.
    pub to: Recipient,
    /// The name under which the recipient knows the sender.
    pub partner: String,
    /// How long the fields open; `None` for ever.
    pub lifetime: Option<Duration>,
}

/// The key that is sealed for now.
pub type Recipient = Arc<dyn Fn() -> Result<Arc<SealingKey>, Unavailable> + Send + Sync>;

impl fmt::Debug for SidecarSeal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SidecarSeal")
            .field("fields", &self.fields)
            .field("if_present", &self.if_present)
            .field("partner", &self.partner)
            .finish_non_exhaustive()
    }
}

/// What a sidecar needs of the world.
pub struct SidecarHandles {
    /// Who signs now: asked for every attempt, so that a key can be replaced.
    pub signer: Arc<dyn Fn() -> Arc<dyn Signer> + Send + Sync>,
    /// A new nonce for every attempt: at least 16 random bytes as printable ASCII.
    pub nonce: Arc<dyn Fn() -> Result<String, Unavailable> + Send + Sync>,
    /// The clock that signatures are dated by.
    pub clock: Clock,
    /// Where each request is written down, one JSON line each.
    pub log: Box<dyn Write + Send>,
}

/// A sidecar that is bound, and not yet serving.
pub struct Sidecar {
    listener: listen::Listener,
    address: Address,
    front: AtSidecar,
    max_connections: usize,
}

/// Why a sidecar did not start.
#[derive(Debug, thiserror::Error)]
pub enum SidecarError {
    /// The settings make none.
    #[error(transparent)]
    Settings(#[from] InvalidSettings),
    /// The address could not be bound.
    #[error("can't listen on {0}: {1}")]
    Listen(Address, io::Error),
    /// A thread could not be started.
    #[error("no thread for the log: {0}")]
    Log(io::Error),
}

impl Sidecar {
    /// Judges the settings and binds the address.
    ///
    /// # Errors
    /// [`SidecarError`] for an address beyond loopback without `allow_remote`, for one that can't be had, and where whom the
    /// system trusts can't be read although the destination is `https`.
    pub fn bind(settings: SidecarSettings, handles: SidecarHandles) -> Result<Self, SidecarError> {
        if !settings.listen.is_local() && !settings.allow_remote {
            let why = format!("{} is not loopback: whoever reaches it could borrow the signature", settings.listen);
            return Err(InvalidSettings(why).into());
        }
        let to = Destination::new(&settings.to, tls::client).map_err(InvalidSettings)?;
        let to = to.speaking(settings.protocol).showing(settings.client_certificate.clone());
        let failed = |error| SidecarError::Listen(settings.listen.clone(), error);
        let (listener, address) = listen::Listener::open(&settings.listen, settings.socket).map_err(failed)?;
        let metrics = Arc::new(Metrics::default());
        let log = Log::start(handles.log, metrics).map_err(SidecarError::Log)?;
        let max_connections = settings.limits.max_connections.min(Semaphore::MAX_PERMITS);
        let desk = Desk {
            own_port: address.port(),
            settings,
            to,
            upstreams: Upstreams::new(Pool::default()),
            signer: handles.signer,
            nonce: handles.nonce,
            clock: handles.clock,
            log,
            room: Arc::default(),
            open: AtomicI64::new(0),
        };
        Ok(Self { listener, address, front: AtSidecar(Arc::new(desk)), max_connections })
    }

    /// Where the sender reaches it.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Serves until `shutdown` is ready, then lets requests at hand end. Runs on the caller's tokio runtime.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let Self { listener, front, max_connections, .. } = self;
        let (stop, stopping) = watch::channel(false);
        let (alive, mut all_gone) = mpsc::channel::<()>(1);
        let accepting = listener.accept_all(front.clone(), max_connections, stopping, alive);
        tokio::select! {
            () = accepting => {}
            () = shutdown => {}
        }
        stop.send_replace(true);
        let _ = timeout(front.0.settings.limits.shutdown_grace, all_gone.recv()).await;
        front.0.log.flush().await;
    }
}

/// All that connections share.
struct Desk {
    settings: SidecarSettings,
    own_port: Option<u16>,
    to: Destination,
    upstreams: Upstreams,
    signer: Arc<dyn Fn() -> Arc<dyn Signer> + Send + Sync>,
    nonce: Arc<dyn Fn() -> Result<String, Unavailable> + Send + Sync>,
    clock: Clock,
    log: Log,
    room: Arc<Room>,
    open: AtomicI64,
}

/// A sidecar, as its connections see it.
#[derive(Clone)]
struct AtSidecar(Arc<Desk>);

impl Front for AtSidecar {
    fn limits(&self) -> Limits {
        self.0.settings.limits.clone()
    }

    fn connections(&self, change: i64) {
        self.0.open.fetch_add(change, Relaxed);
    }

    async fn answer(self, _: Option<IpAddr>, opening: Opening) -> Response<Reply> {
        self.0.answer(opening).await
    }

    fn refuse(&self, fault: framing::Fault) -> String {
        let (code, reason) = fault.told();
        let now = self.0.clock.now();
        Entry::new(&self.0.log, TraceId::new(now), now).answered(Some(code.status()), Some(code), Some(reason));
        fault.answer("")
    }
}

impl Desk {
    async fn answer(&self, opening: Opening) -> Response<Reply> {
        let now = self.clock.now();
        let trace = TraceId::new(now);
        let mut entry = Entry::new(&self.log, trace, now);
        entry.claimed = Some((self.settings.form.scheme, self.settings.form.key_id.clone()));
        // It was signed and sent. What came of it says the status, and whether it passed there the other side's log.
        entry.passed = "signed";
        let mut body = None;
        let outcome = self.run(opening, &mut body, &mut entry).await;
        let mut response = match outcome {
            Ok(response) => {
                let theirs = response.headers().get(headers::TRACE).and_then(|trace| trace.to_str().ok());
                entry.answer_trace = theirs.filter(|trace| trace.len() <= 36).map(str::to_owned);
                entry.answered(Some(response.status().as_u16()), None, None);
                let mut response = response.map(Reply::Upstream);
                headers::remove_hop_by_hop(response.headers_mut());
                response
            }
            Err(fault) => {
                entry.answered(Some(fault.code().status()), Some(fault.code()), Some(&fault.reason()));
                let mut response = refusal::tell(&fault, trace, now);
                response.headers_mut().insert(headers::TRACE, trace.header());
                response
            }
        };
        if !body.is_none_or(Inbound::leave) {
            response.headers_mut().insert(header::CONNECTION, http::HeaderValue::from_static("close"));
        }
        response
    }
}

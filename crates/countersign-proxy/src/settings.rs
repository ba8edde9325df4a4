use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use countersign::{Memory, Openers, Origin, Policy, Quota, TokenSettings};
use ipnet::IpNet;

use crate::exchange;

/// What a gateway is told at its start, and again at a reload. Plain data: [`crate::Gateway::bind`] judges it.
#[derive(Clone, Debug, Default)]
pub struct GatewaySettings {
    /// Where callers are heard. Port 0 takes a free one, see [`crate::Gateway::addresses`].
    pub listen: Vec<SocketAddr>,
    /// How callers are spoken to in TLS; `None` for plain HTTP.
    pub tls: Option<TlsSettings>,
    /// What `@scheme` and `@authority` mean to the caller; any other `Host` is `malformed`. Empty: as received.
    pub public_url: Vec<Origin>,
    /// Proxies whose word on who calls, and by which host and scheme, is believed: `Forwarded`, `X-Forwarded-*`, and the
    /// PROXY protocol. What others say of it is thrown away.
    pub trusted_proxies: Vec<IpNet>,
    /// Connections of trusted proxies begin with a PROXY header.
    pub proxy_protocol: bool,
    /// What is served, and what each demands.
    pub routes: Vec<RouteSettings>,
    /// What opens the sealed fields of routes whose policy has some; what seals for them is published as a JWK set. Counts for
    /// nothing where [`Handles::openers`](crate::Handles::openers) gives some.
    pub openers: Arc<Openers>,
    /// What is written into user tokens and expected there; `None` where none are issued or taken.
    pub tokens: Option<Arc<TokenSettings>>,
    /// Whether trusted sites may register users and log them in, at `/auth/trusted/register` and `/auth/trusted/login`; it gives
    /// out `tokens`.
    pub exchange: Option<ExchangeSettings>,
    /// How much of what a gateway takes.
    pub limits: Limits,
    /// Where health and metrics are told; `None` for nowhere.
    pub admin: Option<AdminSettings>,
    /// Threads that serve callers; 0 for one per core.
    pub workers: usize,
    /// Where bodies wait that are too long for memory, in files without a name; made where it is missing. `None`: all bodies
    /// are kept in memory.
    pub spool_dir: Option<PathBuf>,
}

/// How callers are spoken to in TLS. The files are read at [`crate::Gateway::bind`] and at every reload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    /// PEM: the gateway's own certificate, then those that lead to an authority which callers trust.
    pub certificate: PathBuf,
    /// PEM: its private key.
    pub key: PathBuf,
    /// Whether callers are asked for a certificate of their own; `None` for no.
    pub client_auth: Option<ClientAuthSettings>,
}

/// Which certificates of callers are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientAuthSettings {
    /// PEM: the authorities that issue them. Whom they name is believed to be that partner, so they are the operator's own.
    pub authorities: PathBuf,
    /// PEM or DER: what those authorities have revoked. With it, a certificate whose state it does not tell, or no longer
    /// tells since its `nextUpdate` has passed, is not taken.
    pub crl: Option<PathBuf>,
    /// Whether a caller without a certificate is turned away.
    pub required: bool,
}

/// One route.
#[derive(Clone, Debug)]
pub struct RouteSettings {
    /// Its name in logs and metrics, unique.
    pub name: String,
    /// Whole path segments: `/orders` takes `/orders` and `/orders/7`, never `/orders-admin`. The longest match wins. The
    /// same as the policy's, to which body-only schemes are bound.
    pub path: String,
    /// The API behind, at one place or several, of which each request goes to one. Where one is `https`, its certificate has
    /// to be one that the system trusts.
    pub upstream: Vec<Origin>,
    /// How its places are asked whether they are well. `None`: one that can't be connected to is left out until it can.
    pub health: Option<HealthCheck>,
    /// What it demands.
    pub policy: Arc<Policy>,
    /// How much a refusal tells the caller.
    pub refusals: Disclosure,
    /// What one partner may ask for, counted once it has proved who it is; `None` for no limit. Nobody is limited where the
    /// policy only observes.
    pub rate: Option<Quota>,
}

/// What trusted sites are given. Their messages are at most five minutes old, and no longer ahead.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExchangeSettings {
    /// What a new user starts with.
    pub default_credits: u64,
    /// Whether a site may log in users whom another partner registered.
    pub shared_users: bool,
    /// How long what was admitted is remembered, by all that shares these keys.
    pub memory: Memory,
}

impl ExchangeSettings {
    /// How old a message of a trusted site may be here, and how far ahead.
    pub const WINDOW: Duration = Duration::from_secs(300);
    /// Where users are registered.
    pub const REGISTER: &str = exchange::REGISTER;
    /// Where they are logged in.
    pub const LOGIN: &str = exchange::LOGIN;
}

/// How the places of an API are asked whether they are well: with `GET`, and any answer of 2xx or 3xx is a good one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// The path, with its query.
    pub path: String,
    /// From one answer to the next question.
    pub interval: Duration,
}

/// How much a refusal tells the caller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Disclosure {
    /// The public code only: nothing that tells which keys exist.
    #[default]
    Code,
    /// The detailed code, and which check failed on what.
    Components,
    /// Also what the route demands.
    Full,
}

/// Which HTTP is spoken to a destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/2 where both agree on it in the TLS handshake (ALPN, RFC 7301), else HTTP/1.1. In the clear HTTP/1.1.
    #[default]
    Agreed,
    /// HTTP/1.1 only.
    Http1,
    /// HTTP/2 only: agreed upon over TLS, and in the clear by prior knowledge (RFC 9113 §3.3).
    Http2,
}

/// Where health and metrics are told.
#[derive(Clone, Debug)]
pub struct AdminSettings {
    /// The address.
    pub listen: SocketAddr,
    /// Names by which it may be asked, beside loopback and the address itself. Any other `Host` is refused: a web page can
    /// point a name of its own at this address (DNS rebinding).
    pub hosts: Vec<String>,
}

/// How much of what a gateway takes. The default is safe for small messages from anywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request head, 256 to 1 MiB; its target has at most 60 KiB.
    pub head_bytes: usize,
    /// Fields of a request head.
    pub head_fields: usize,
    /// From the first byte of a head to its end.
    pub head_time: Duration,
    /// From the end of a head to the end of its body, and a second more for each `min_body_rate` that came of it.
    pub body_time: Duration,
    /// Bytes a second that a body has to come with in the long run; 0: all of it within `body_time`.
    pub min_body_rate: u64,
    /// Between two requests on one connection.
    pub idle_time: Duration,
    /// Without the caller taking a byte of the answer.
    pub write_time: Duration,
    /// Without a byte in either direction of a connection that was switched to another protocol.
    pub tunnel_idle: Duration,
    /// From an accepted connection to the end of its TLS handshake.
    pub handshake_time: Duration,
    /// TLS handshakes at a time. Beyond it the longest under way is broken off: who takes part in one is done soon.
    pub max_handshakes: usize,
    /// Connections of callers, all listeners together; more wait to be accepted.
    pub max_connections: usize,
    /// What one source may ask for, counted before anything dear is done for it: an IPv4 address, or an IPv6 network of 64
    /// bits. A request that is refused counts as ten. `None` for no limit.
    pub source_rate: Option<Quota>,
    /// Whether loopback is a source, too. Mostly a proxy of the operator's own is there, with everybody behind it.
    pub limit_loopback: bool,
    /// Connections of one source; more are closed.
    pub max_connections_per_source: usize,
    /// Requests at a time on one connection of HTTP/2.
    pub max_streams: u32,
    /// Requests of an HTTP/2 connection that its caller took back, or forced us to, and that we still have to do with; at
    /// more the connection ends.
    pub max_resets: usize,
    /// Bytes of one body that are kept in memory; a longer one goes through a file, unless its scheme needs the whole.
    pub body_in_memory: u64,
    /// Bytes of all bodies in memory that wait for their verdict or their upstream, together, with what schemes make of them;
    /// what does not fit is `unavailable`. Bodies whose head proves nothing find half of it.
    pub max_held: u64,
    /// Bytes of all bodies in files, together; what does not fit is `unavailable`. Bodies whose head proves nothing find half
    /// of it.
    pub max_spooled: u64,
    /// Until the connection to an upstream stands.
    pub connect_time: Duration,
    /// Until the head of an upstream's response is there.
    pub response_time: Duration,
    /// Between two parts of the body of an upstream's response.
    pub silence_time: Duration,
    /// Unused connections to one upstream, per worker.
    pub max_idle_upstream: usize,
    /// How long an unused connection to an upstream is kept. Shorter than the upstream keeps it.
    pub idle_upstream: Duration,
    /// How long `/readyz` says 503 at the end before connections are turned away.
    pub shutdown_delay: Duration,
    /// How long requests at hand may take at the end.
    pub shutdown_grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_bytes: 32 << 10,
            head_fields: 100,
            head_time: Duration::from_secs(10),
            body_time: Duration::from_secs(60),
            min_body_rate: 64 << 10,
            idle_time: Duration::from_secs(60),
            write_time: Duration::from_secs(30),
            tunnel_idle: Duration::from_secs(300),
            handshake_time: Duration::from_secs(10),
            max_handshakes: 1_000,
            max_connections: 10_000,
            source_rate: Some(Quota { requests: 10_000, per: Duration::from_secs(1) }),
            limit_loopback: false,
            max_connections_per_source: 1_000,
            max_streams: 128,
            max_resets: 32,
            body_in_memory: 64 << 10,
            max_held: 256 << 20,
            max_spooled: 1 << 30,
            connect_time: Duration::from_secs(5),
            response_time: Duration::from_secs(60),
            silence_time: Duration::from_secs(60),
            max_idle_upstream: 64,
            idle_upstream: Duration::from_secs(20),
            shutdown_delay: Duration::ZERO,
            shutdown_grace: Duration::from_secs(30),
        }
    }
}

/// Why settings make no gateway, in words for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidSettings(pub(crate) String);

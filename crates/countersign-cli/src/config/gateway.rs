use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::forms;
use super::names::ClientAuth;
use super::origin::{Origin, origin};
use super::section::Section;
use super::units::Rate;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);

/// `[gateway]`: where requests come in, and what one of them may cost.
#[derive(Clone, Debug)]
pub struct Gateway {
    /// Addresses to listen on, at least one; `127.0.0.1:8080`. Beyond loopback only with [`Self::tls`] or
    /// [`Self::insecure_listen`].
    pub listen: Vec<SocketAddr>,
    /// What `@scheme` and `@authority` mean to the caller. Empty (the default): the `Host` as received, on loopback only
    /// unless [`Self::any_authority`].
    pub public_url: Vec<Origin>,
    /// Whose `Forwarded`, `X-Forwarded-*` and PROXY header is believed; nobody's.
    pub trusted_proxies: Vec<IpNet>,
    /// Their connections begin with a PROXY header; false.
    pub proxy_protocol: bool,
    /// Plain HTTP beyond loopback; false.
    pub insecure_listen: bool,
    /// Any `Host` beyond loopback where there is no `public_url`; false.
    pub any_authority: bool,
    /// `[gateway.tls]`; absent: plain HTTP.
    pub tls: Option<Tls>,
    /// Where bodies wait that are too long for memory; `None`: `spool` in the data directory.
    pub spool_dir: Option<PathBuf>,
    /// Threads, each with a runtime and connections of its own. `None`: one for each core.
    pub workers: Option<usize>,
    /// Limits on time and space.
    pub limits: Limits,
}

/// What one request, one connection and all of them together may cost. They stand in `[gateway]` itself.
#[derive(Clone, Debug)]
pub struct Limits {
    /// From the first byte of a request to the end of its head; 10 seconds.
    pub head_timeout: Duration,
    /// From the end of the head to the end of the body, and a second more for each [`Self::min_body_rate`] that came of it;
    /// 60 seconds. Beyond it: `too_slow`.
    pub body_timeout: Duration,
    /// What a body has to come with in the long run, in bytes a second; 64 KiB. 0: all of it within [`Self::body_timeout`].
    pub min_body_rate: u64,
    /// How long a connection may lie idle between two requests; 60 seconds.
    pub idle_timeout: Duration,
    /// How long a caller may take nothing of an answer; 30 seconds.
    pub write_timeout: Duration,
    /// How long nothing may move on a connection that was upgraded to another protocol; 5 minutes.
    pub tunnel_idle_timeout: Duration,
    /// To connect to an upstream; 5 seconds. Beyond it: `upstream_timeout`.
    pub connect_timeout: Duration,
    /// From the end of a request to the head of the upstream's response; 60 seconds. Beyond it: `upstream_timeout`.
    pub upstream_timeout: Duration,
    /// Between two parts of the body of its response; 60 seconds. Beyond it, the caller's connection breaks off.
    pub upstream_idle_timeout: Duration,
    /// From SIGTERM, when `/readyz` begins to fail, to the moment when no callers are taken any more; half a second. As long
    /// as whatever asks `/readyz` takes to turn to another gateway.
    pub shutdown_delay: Duration,
    /// For what is under way when no callers are taken any more; 30 seconds.
    pub shutdown_timeout: Duration,
    /// How long what is at hand may take to be decided when another process takes over, while new callers wait; 5 seconds.
    /// Beyond it: `unavailable`.
    pub handover_timeout: Duration,
    /// The head of a request in bytes; 64 KiB. A post-quantum signature takes 6 of them.
    pub max_head: u64,
    /// Header lines of a request; 100.
    pub max_headers: usize,
    /// Connections at a time; 10 000. More wait.
    pub max_connections: usize,
    /// What one source may ask for, an IPv4 address or an IPv6 network of 64 bits; ten thousand a second. What is refused
    /// counts as ten.
    pub source_rate: Rate,
    /// Whether loopback is a source, too; false, since mostly a proxy is there, with everybody behind it.
    pub limit_loopback: bool,
    /// Connections at a time of one source; 1000. More are closed.
    pub max_connections_per_source: usize,
    /// Requests at a time on one HTTP/2 connection; 128.
    pub max_streams: usize,
    /// Requests taken back on one HTTP/2 connection that are still to be tidied up; 32. At more the connection ends.
    pub max_resets: usize,
    /// How much of one body is kept in memory, in bytes; 64 KiB. What is longer goes through an unlinked file, but for the
    /// schemes that need the whole.
    pub body_in_memory: u64,
    /// What all bodies under way may take together in memory, in bytes; 256 MiB. Beyond it: `unavailable`. Those whose head
    /// proves nothing find half of it.
    pub memory_space: u64,
    /// What they may take together in those files, in bytes; 1 GiB. The same goes for it.
    pub spool_space: u64,
}

/// `[gateway.tls]`.
#[derive(Clone, Debug)]
pub struct Tls {
    /// Chain, PEM, the server's own first.
    pub certificate: PathBuf,
    /// Private key, PEM.
    pub key: PathBuf,
    /// The authorities that issue client certificates, PEM.
    pub client_ca: Option<PathBuf>,
    /// Whether a client certificate is asked for; `off`.
    pub client_auth: ClientAuth,
    /// Revocations of those authorities, PEM or DER.
    pub crl: Option<PathBuf>,
}

impl Gateway {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let listen = section.list("listen", forms::address);
        Self {
            listen: listen.unwrap_or_else(|| vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 8080))]),
            public_url: section.list("public_url", origin).unwrap_or_default(),
            trusted_proxies: section.list("trusted_proxies", forms::network).unwrap_or_default(),
            proxy_protocol: section.value("proxy_protocol", forms::flag).unwrap_or(false),
            insecure_listen: section.value("insecure_listen", forms::flag).unwrap_or(false),
            any_authority: section.value("any_authority", forms::flag).unwrap_or(false),
            tls: section.optional("tls", Tls::read).flatten(),
            workers: section.number("workers", 1..=1024),
            spool_dir: section.path("spool_dir"),
            limits: Limits::read(section),
        }
    }
}

impl Limits {
    fn read(section: &mut Section<'_>) -> Self {
        Self {
            head_timeout: timeout(section, "head_timeout", 10),
            body_timeout: timeout(section, "body_timeout", 60),
            min_body_rate: section.size("min_body_rate", 0..=1 << 40).unwrap_or(64 << 10),
            idle_timeout: timeout(section, "idle_timeout", 60),
            write_timeout: timeout(section, "write_timeout", 30),
            tunnel_idle_timeout: timeout(section, "tunnel_idle_timeout", 300),
            connect_timeout: timeout(section, "connect_timeout", 5),
            upstream_timeout: timeout(section, "upstream_timeout", 60),
            upstream_idle_timeout: timeout(section, "upstream_idle_timeout", 60),
            shutdown_delay: section.duration("shutdown_delay", Duration::ZERO..=HOUR).unwrap_or(SECOND / 2),
            shutdown_timeout: section.duration("shutdown_timeout", Duration::ZERO..=HOUR).unwrap_or(30 * SECOND),
            handover_timeout: section.duration("handover_timeout", Duration::ZERO..=SECOND * 60).unwrap_or(5 * SECOND),
            max_head: section.size("max_head", 8 << 10..=1 << 20).unwrap_or(64 << 10),
            max_headers: section.number("max_headers", 16..=1000).unwrap_or(100),
            source_rate: section.value("source_rate", forms::rate).unwrap_or(Rate { count: 10_000, per: SECOND }),
            limit_loopback: section.value("limit_loopback", forms::flag).unwrap_or(false),
            max_connections: section.number("max_connections", 1..=1_000_000).unwrap_or(10_000),
            max_connections_per_source: section.number("max_connections_per_source", 1..=1_000_000).unwrap_or(1_000),
            max_streams: section.number("max_streams", 1..=10_000).unwrap_or(128),
            max_resets: section.number("max_resets", 1..=10_000).unwrap_or(32),
            body_in_memory: section.size("body_in_memory", 0..=64 << 20).unwrap_or(64 << 10),
            memory_space: section.size("memory_space", 1 << 20..=1 << 40).unwrap_or(256 << 20),
            spool_space: section.size("spool_space", 0..=1 << 50).unwrap_or(1 << 30),
        }
    }
}

/// Never none: what waits for ever is what an attacker holds open.
fn timeout(section: &mut Section<'_>, key: &'static str, seconds: u32) -> Duration {
    section.duration(key, SECOND / 10..=HOUR).unwrap_or(SECOND * seconds)
}

impl Tls {
    fn read(section: &mut Section<'_>) -> Option<Self> {
        let certificate = section.required_path("certificate");
        let key = section.required_path("key");
        Some(Self {
            client_ca: section.path("client_ca"),
            client_auth: section.value("client_auth", forms::named).unwrap_or(ClientAuth::Off),
            crl: section.path("crl"),
            certificate: certificate?,
            key: key?,
        })
    }
}

//! Gateways, who may call them, and what a fault costs.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::load::{Load, Outcome, Sender};
use crate::support::Dir;
use crate::support::gateway::{Gateway, upstream};

/// A gateway, and who may call it.
pub(crate) struct Stage {
    pub(crate) gateway: Gateway,
    pub(crate) sender: Sender,
    /// Good requests a second.
    pub(crate) rate: u32,
    _dir: Dir,
    _alone: MutexGuard<'static, ()>,
}

impl Stage {
    pub(crate) fn new(more: &str) -> Self {
        Self::with("", more, |dir| Gateway::started(dir, dir.command("gateway")))
    }

    /// With more settings of `[gateway]`, more behind the route, and a start of one's own.
    pub(crate) fn with(settings: &str, more: &str, start: impl FnOnce(&Dir) -> Gateway) -> Self {
        let alone = alone();
        let dir = Dir::new();
        dir.write("countersign.toml", &configuration("", settings, upstream(), more));
        let sender = partner(&dir, "countersign.toml");
        Self { gateway: start(&dir), sender, rate: rate(), _dir: dir, _alone: alone }
    }

    /// Sends good requests, first in peace and then while `fault` runs until the time it is given.
    pub(crate) fn under(&self, what: &str, fault: impl FnOnce(u32, Instant)) {
        under(what, &self.sender, &[self.gateway.address], &|_| false, |until| fault(self.rate, until));
    }
}

/// One load at a time, or they would disturb each other.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Good requests a second.
pub(crate) fn rate() -> u32 {
    std::env::var("FAULTS_RATE").map_or(40, |rate| rate.parse().unwrap())
}

pub(crate) fn configuration(first: &str, settings: &str, upstream: SocketAddr, more: &str) -> String {
    format!(
        "{first}[gateway]\nlisten = [\"127.0.0.1:0\"]\n{settings}\n[admin]\nlisten = \"127.0.0.1:0\"\n[[route]]\npath = \
         \"/orders\"\nupstream = \"http://{upstream}\"\nrequire = [\"@method\", \"@authority\", \"@path\", \"@query\", \
         \"content-digest\"]\n{more}"
    )
}

/// Adds a partner with a key.
pub(crate) fn partner(dir: &Dir, config: &str) -> Sender {
    dir.fine(&format!("partner add acme --config {config}"));
    dir.fine("key generate --algorithm ed25519 --out acme.key");
    let key = "--scheme http-message-signatures --algorithm ed25519 --public-key acme.key.pub";
    dir.fine(&format!("key add --partner acme --id acme-1 {key} --config {config}"));
    Sender::new(dir.read("acme.key").as_bytes(), "acme-1")
}

/// Sends good requests in turn to the gateways, first in peace and then while `fault` runs until the time it is given. All
/// have to get their answers, but those whose fault is `forgiven`.
pub(crate) fn under(
    what: &str,
    sender: &Sender,
    gateways: &[SocketAddr],
    forgiven: &dyn Fn(&str) -> bool,
    fault: impl FnOnce(Instant),
) -> [Outcome; 2] {
    let load = || Load::start(sender, gateways, "/orders", rate());
    let peace = load();
    std::thread::sleep(time());
    let peace = peace.end();
    let disturbed = load();
    fault(Instant::now() + time());
    let disturbed = disturbed.end();
    assert!(peace.faults.is_empty(), "in peace: {:?}", peace.faults);
    let unforgiven: Vec<_> = disturbed.faults.iter().filter(|fault| !forgiven(fault)).collect();
    assert!(unforgiven.is_empty(), "{} faults: {:?}", unforgiven.len(), unforgiven.first());
    assert!(peace.latencies.len() > 10 && disturbed.latencies.len() > 10, "{} requests", disturbed.latencies.len());
    tell(what, &peace, &disturbed);
    [peace, disturbed]
}

/// A line of the table of `bench/README.md`.
fn tell(what: &str, peace: &Outcome, disturbed: &Outcome) {
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    let (before, under) = (peace.percentile(99), disturbed.percentile(99));
    println!(
        "| {what} | {} | {} | {:.1} / {:.1} ms | {:.1} / {:.1} ms | {:.1} × |",
        disturbed.latencies.len() + disturbed.faults.len(),
        disturbed.faults.len(),
        millis(peace.percentile(50)),
        millis(before),
        millis(disturbed.percentile(50)),
        millis(under),
        under.as_secs_f64() / before.as_secs_f64()
    );
}

fn time() -> Duration {
    Duration::from_secs(std::env::var("FAULTS_SECONDS").map_or(3, |seconds| seconds.parse().unwrap()))
}

/// A process of the gateway under a limit on the files it may open.
pub(crate) fn with_few_files(dir: &Dir) -> Gateway {
    let mut shell = Command::new("sh");
    let binary = dir.command("gateway");
    shell.args(["-c", "ulimit -Sn 64; exec \"$0\" gateway"]).arg(binary.get_program()).current_dir(dir.here());
    Gateway::started(dir, shell)
}

//! A gateway on free ports, with everything that a test wants to look into.

use std::collections::HashSet;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use countersign::{
    BoxFuture, Demands, Keys, Openers, Origin, Policy, ReplayStore, Seen, Timestamp, TokenKeys, TokenSettings,
    Unavailable, Use, UseMark,
};
use countersign_proxy::{
    AdminSettings, Clock, Control, Disclosure, ExchangeSettings, Gateway, GatewaySettings, Handles, Limits, Quota,
    RouteSettings, TlsSettings, TokenKeySource, UserStore,
};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::signer::{Partner, now};
use crate::upstream::Upstream;

/// What can be asked for before the start.
pub(crate) struct Setting {
    pub(crate) demands: Demands,
    pub(crate) refusals: Disclosure,
    pub(crate) limits: Limits,
    pub(crate) public_url: Vec<&'static str>,
    pub(crate) rate: Option<Quota>,
    pub(crate) openers: Arc<Openers>,
    pub(crate) tokens: Option<Arc<TokenSettings>>,
    pub(crate) token_keys: Arc<ArcSwap<TokenKeys>>,
    pub(crate) exchange: Option<ExchangeSettings>,
    pub(crate) users: Option<Arc<dyn UserStore>>,
    pub(crate) workers: usize,
    pub(crate) trusted: Vec<&'static str>,
    pub(crate) proxy_protocol: bool,
    pub(crate) tls: Option<TlsSettings>,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            demands: Demands { path: "/orders".to_owned(), max_body: 1 << 20, ..Demands::default() },
            refusals: Disclosure::Components,
            limits: Limits { shutdown_grace: Duration::from_secs(2), ..Limits::default() },
            public_url: Vec::new(),
            rate: None,
            openers: Arc::default(),
            tokens: None,
            token_keys: Arc::default(),
            exchange: None,
            users: None,
            workers: 2,
            trusted: Vec::new(),
            proxy_protocol: false,
            tls: None,
        }
    }
}

pub(crate) struct Stage {
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) control: Control,
    pub(crate) settings: GatewaySettings,
    pub(crate) partner: Partner,
    pub(crate) upstream: Upstream,
    pub(crate) keys: Arc<ArcSwap<Keys>>,
    pub(crate) token_keys: Arc<ArcSwap<TokenKeys>>,
    pub(crate) switches: Arc<Switches>,
    pub(crate) log: Capture,
    /// Milliseconds that the gateway's clock is ahead.
    pub(crate) ahead: Arc<AtomicI64>,
    /// Where its bodies wait.
    pub(crate) spool: tempfile::TempDir,
    stop: Option<oneshot::Sender<()>>,
    running: Option<JoinHandle<()>>,
}

/// What can be broken while it runs.
#[derive(Default)]
pub(crate) struct Switches {
    pub(crate) keys_down: AtomicBool,
    pub(crate) keys_panic: AtomicBool,
    pub(crate) replay_down: AtomicBool,
    pub(crate) replay_panic: AtomicBool,
    /// It answers nobody yet.
    pub(crate) replay_held: AtomicBool,
    /// How many have asked it meanwhile.
    pub(crate) replay_asked: AtomicUsize,
}

impl Stage {
    pub(crate) async fn start() -> Self {
        Self::with(Setting::default()).await
    }

    pub(crate) async fn with(setting: Setting) -> Self {
        Self::before(Upstream::echo().await, setting)
    }

    pub(crate) fn before(upstream: Upstream, setting: Setting) -> Self {
        let partner = Partner::new("acme", "acme-2026");
        let policy = Arc::new(Policy::new(setting.demands).unwrap());
        let spool = tempfile::tempdir().unwrap();
        let settings = GatewaySettings {
            openers: setting.openers,
            tokens: setting.tokens,
            spool_dir: Some(spool.path().to_owned()),
            listen: vec!["127.0.0.1:0".parse().unwrap()],
            public_url: setting.public_url.iter().map(|url| Origin::parse(url).unwrap()).collect(),
            routes: vec![RouteSettings {
                name: "orders".to_owned(),
                path: policy.demands().path.clone(),
                upstream: vec![Origin::parse(&format!("http://{}", upstream.address)).unwrap()],
                health: None,
                policy,
                refusals: setting.refusals,
                rate: setting.rate,
            }],
            limits: setting.limits,
            exchange: setting.exchange,
            tls: setting.tls,
            admin: Some(AdminSettings { listen: "127.0.0.1:0".parse().unwrap(), hosts: Vec::new() }),
            workers: setting.workers,
            trusted_proxies: setting.trusted.iter().map(|network| network.parse().unwrap()).collect(),
            proxy_protocol: setting.proxy_protocol,
        };
        let keys = Arc::new(ArcSwap::from_pointee(partner.keys()));
        let switches = Arc::new(Switches::default());
        let log = Capture::default();
        let (source, breaks) = (Arc::clone(&keys), Arc::clone(&switches));
        let keys_now = Arc::new(move |_: Timestamp| {
            assert!(!breaks.keys_panic.load(Ordering::SeqCst), "on purpose: the registry panics");
            if breaks.keys_down.load(Ordering::SeqCst) {
                return Err(Unavailable::new("registry", "the snapshot is too old"));
            }
            Ok(source.load_full())
        });
        let memory = Arc::new(Memory { seen: Mutex::default(), switches: Arc::clone(&switches) });
        let ahead = Arc::new(AtomicI64::new(0));
        let offset = Arc::clone(&ahead);
        let clock = Clock::new(
            move || Timestamp::from_millis(now().as_millis() + offset.load(Ordering::SeqCst)),
            Timestamp::from_secs(0),
        );
        let (own_keys, breaks) = (Arc::clone(&setting.token_keys), Arc::clone(&switches));
        let token_keys: TokenKeySource = Arc::new(move |_| {
            let down = breaks.keys_down.load(Ordering::SeqCst);
            if down { Err(Unavailable::new("registry", "the snapshot is too old")) } else { Ok(own_keys.load_full()) }
        });
        let log_writer = Box::new(log.clone());
        let handles = Handles {
            log: log_writer,
            clock,
            token_keys: Some(token_keys),
            users: setting.users,
            ..Handles::new(keys_now, memory)
        };
        let gateway = Gateway::bind(settings.clone(), handles).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let (address, admin, control) = (gateway.addresses()[0], gateway.admin_address().unwrap(), gateway.control());
        let running = tokio::spawn(async move {
            gateway.run(async { drop(stopped.await) }).await.unwrap();
        });
        Self {
            address,
            admin,
            control,
            settings,
            partner,
            upstream,
            keys,
            token_keys: setting.token_keys,
            switches,
            log,
            ahead,
            spool,
            stop: Some(stop),
            running: Some(running),
        }
    }

    /// Begins the orderly stop.
    pub(crate) fn begin_stop(&mut self) {
        self.stop.take();
    }

    /// Stops, and waits for the end.
    pub(crate) async fn stop(&mut self) {
        self.begin_stop();
        self.running.take().unwrap().await.unwrap();
    }
}

/// What was written to the log.
#[derive(Clone, Default)]
pub(crate) struct Capture(Arc<Mutex<Vec<u8>>>);

impl Capture {
    /// The lines so far, once there are at least `count`.
    pub(crate) async fn lines(&self, count: usize) -> Vec<serde_json::Value> {
        for _ in 0..200 {
            let lines: Vec<_> = self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            if lines.len() >= count {
                return lines;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("fewer than {count} lines: {}", self.text());
    }

    /// Waits until `text` stands in it.
    pub(crate) async fn says(&self, text: &str) {
        for _ in 0..500 {
            if self.text().contains(text) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no {text} in {}", self.text());
    }

    /// What was written. Lines wait some milliseconds for others.
    pub(crate) fn text(&self) -> String {
        std::thread::sleep(std::time::Duration::from_millis(100));
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Capture {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A replay memory, for a gateway without a stage.
pub(crate) fn replay() -> Arc<dyn ReplayStore> {
    Arc::new(Memory { seen: Mutex::default(), switches: Arc::default() })
}

struct Memory {
    seen: Mutex<HashSet<UseMark>>,
    switches: Arc<Switches>,
}

impl ReplayStore for Memory {
    fn first_use<'a>(&'a self, once: &'a Use, _: Timestamp) -> BoxFuture<'a, Result<Seen, Unavailable>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            if self.switches.replay_held.load(Ordering::SeqCst) {
                self.switches.replay_asked.fetch_add(1, Ordering::SeqCst);
            }
            while self.switches.replay_held.load(Ordering::SeqCst) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            assert!(!self.switches.replay_panic.load(Ordering::SeqCst), "on purpose: the replay store panics");
            if self.switches.replay_down.load(Ordering::SeqCst) {
                return Err(Unavailable::new("replay store", "on purpose"));
            }
            let mut seen = self.seen.lock().unwrap();
            if once.marks().any(|mark| seen.contains(mark)) {
                return Ok(Seen::Again);
            }
            seen.extend(once.marks());
            Ok(Seen::First)
        })
    }
}

//! Everything that the scenes need: addresses, keys, gateways, two APIs, a sidecar.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use countersign::{Algorithm, Form, Keys, Origin, Policy, Scheme, SealingKey, SigningKey, Unavailable};
use countersign_proxy::{
    Address, Clock, Limits, Protocol, Sidecar, SidecarHandles, SidecarSeal, SidecarSettings, SocketFile,
};

use super::gateways::{Deployment, SEAL_KEY};
use super::http::serve;
use super::receiver::{self, Receiver};
use super::register::{PARTNER, Signers, register, register_partner};
use super::scenes::Cast;
use super::sender::{self, Sender};
use super::tap::Tap;
use crate::exit::Failure;
use crate::file::NewFile;
use crate::serve::Serving;
use crate::{moment, random, wire};

/// A port by its default, or by the name that somebody gave it.
pub(super) struct Port {
    pub(super) asked: Option<u16>,
    pub(super) default: u16,
    pub(super) flag: &'static str,
}

/// Everything set up; the gateways and the sidecar are bound, and served by who holds this.
pub(super) struct Stage {
    pub(super) cast: Cast,
    pub(super) serving: [Serving; 2],
    /// One that signs, and one that seals as well.
    pub(super) sidecars: [Sidecar; 2],
    pub(super) keys: Arc<Keys>,
    /// By the path of their route.
    pub(super) policies: BTreeMap<String, Arc<Policy>>,
    /// What is different from what one may expect.
    pub(super) notes: Vec<String>,
}

impl Port {
    /// A listener there; a default that is taken gives way to a free one.
    fn open(&self, notes: &mut Vec<String>) -> Result<TcpListener, Failure> {
        if let Some(port) = self.asked {
            return loopback(port).map_err(|fault| self.failed(port, &fault));
        }
        loopback(self.default).or_else(|_| {
            let free = loopback(0).map_err(|fault| self.failed(0, &fault))?;
            if let Ok(address) = free.local_addr() {
                let (default, port) = (self.default, address.port());
                notes.push(format!("port {default} is taken: using {port} instead ({} PORT to choose)", self.flag));
            }
            Ok(free)
        })
    }

    fn failed(&self, port: u16, fault: &std::io::Error) -> Failure {
        Failure::usage(format!("can't listen on port {port}: {}", crate::exit::words(fault)))
            .hint(format!("leave {} out, and the demo takes a free port", self.flag))
    }
}

impl Stage {
    pub(super) async fn set(dir: &Path, gateway: &Port, sender_api: &Port) -> Result<Self, Failure> {
        let mut notes = Vec::new();
        let (upstream, at_upstream) = free()?;
        serve(upstream, Arc::new(Receiver::default()), receiver::handle).map_err(Failure::ours)?;
        let (silent, at_silent) = free()?;
        let held = gateway.open(&mut notes)?;
        let sender_listener = sender_api.open(&mut notes)?;
        let [at_gateway, at_sender] = [address(&held)?, address(&sender_listener)?];

        let (opening, seal_key) = seal_key(dir)?;
        let main = Deployment::main(dir, at_gateway, at_upstream)?;
        let registry = main.place.registry_to_write().await?;
        let (own, public_pem) = sender::own_key(dir)?;
        let signers = register(&registry, dir, &public_pem).await?;
        registry.close().await;
        let narrow = Deployment::narrow(dir, at_upstream, at_silent)?;
        let registry = narrow.place.registry_to_write().await?;
        register_partner(&registry, &signers).await?;
        registry.close().await;
        let stranger = SigningKey::generate(Algorithm::RsaPssSha256, 2048)?;
        let stranger = SigningKey::from_file(stranger.private.as_bytes(), Scheme::Pki, None)?;

        let serving = [main.serving(Some(held)).await?, narrow.serving(None).await?];
        let [at_gateway, at_narrow] = [bound(&serving[0])?, bound(&serving[1])?];
        let tap = Tap::before(at_gateway).map_err(Failure::ours)?;
        let sealed_log = dir.join("sidecar.log");
        let log = std::fs::File::create(&sealed_log).map_err(Failure::ours)?;
        let plain = sidecar(&signers, at_gateway, None, Box::new(std::io::sink()))?;
        let sealing = sidecar(&signers, tap.address, Some(sealing(opening)?), Box::new(log))?;
        let (at_sidecar, at_sealing) = (tcp(&plain)?, tcp(&sealing)?);
        let sender = Arc::new(Sender::new(own, public_pem, at_gateway));
        serve(sender_listener, Arc::clone(&sender), sender::handle).map_err(Failure::ours)?;
        let config = &main.place.config;
        let policies =
            config.routes.iter().map(|route| Ok((route.path.clone(), Arc::new(wire::policy(route, config.memory())?))));
        let policies = policies.collect::<Result<_, Failure>>()?;
        let cast = Cast {
            gateway: at_gateway,
            narrow: at_narrow,
            sidecar: at_sidecar,
            sealing: at_sealing,
            tap,
            seal_key,
            logs: [dir.join("gateway.log"), sealed_log],
            sender_api: at_sender,
            sender,
            signers,
            token_keys: serving[0].snapshots().token_keys(moment::now())?,
            token_settings: wire::tokens(main.place.config.token.as_ref().ok_or_else(no_tokens)?),
            stranger,
            _silent: silent,
        };
        Ok(Self { keys: serving[0].keys()?, cast, serving, sidecars: [plain, sealing], policies, notes })
    }
}

/// Signs as the partner does, for a sender that can't.
fn sidecar(
    signers: &Signers,
    to: SocketAddr,
    seal: Option<SidecarSeal>,
    log: Box<dyn Write + Send>,
) -> Result<Sidecar, Failure> {
    let (_, id, key) = signers.partner.first().ok_or_else(|| Failure::ours("the partner has no key"))?;
    let key = Arc::clone(key);
    let settings = SidecarSettings {
        seal,
        listen: Address::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
        socket: SocketFile::default(),
        allow_remote: false,
        to: Origin::new(false, &to.to_string())?,
        protocol: Protocol::default(),
        client_certificate: None,
        form: Form::new(Scheme::HttpMessageSignatures, id),
        allow: Vec::new(),
        max_body: 10 << 20,
        limits: Limits::default(),
    };
    let handles = SidecarHandles {
        signer: Arc::new(move || Arc::clone(&key) as _),
        nonce: Arc::new(|| random::nonce().map_err(|failure| Unavailable::new("randomness", failure.message))),
        clock: Clock::system(),
        log,
    };
    Sidecar::bind(settings, handles).map_err(Failure::ours)
}

/// Makes the key that opens, in the gateway's file: what seals for it, in our form, and its PEM and `kid` for others.
fn seal_key(dir: &Path) -> Result<(Arc<SealingKey>, (String, String)), Failure> {
    let pair = SigningKey::generate(Algorithm::RsaPssSha512, 2048)?;
    let mut file = NewFile::create(&dir.join(SEAL_KEY), 0o600)?;
    file.write(pair.private.as_bytes())?;
    file.keep();
    let key = SealingKey::from_file(pair.public.as_bytes())?;
    let kid = key.id().to_owned();
    Ok((Arc::new(key), (pair.public, kid)))
}

/// Of every order the card number.
fn sealing(key: Arc<SealingKey>) -> Result<SidecarSeal, Failure> {
    let fields = vec!["/card/number".parse().map_err(Failure::ours)?];
    let (if_present, lifetime) = (Vec::new(), Some(Duration::from_secs(600)));
    Ok(SidecarSeal {
        fields,
        if_present,
        to: Arc::new(move || Ok(Arc::clone(&key))),
        partner: PARTNER.to_owned(),
        lifetime,
    })
}

fn tcp(sidecar: &Sidecar) -> Result<SocketAddr, Failure> {
    match *sidecar.address() {
        Address::Tcp(address) => Ok(address),
        Address::Unix(_) => Err(Failure::ours("the sidecar has no port")),
    }
}

fn no_tokens() -> Failure {
    Failure::ours("the demo's gateway issues no tokens")
}

fn loopback(port: u16) -> std::io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
}

fn free() -> Result<(TcpListener, SocketAddr), Failure> {
    let listener = loopback(0).map_err(Failure::ours)?;
    let address = address(&listener)?;
    Ok((listener, address))
}

fn address(listener: &TcpListener) -> Result<SocketAddr, Failure> {
    listener.local_addr().map_err(Failure::ours)
}

fn bound(serving: &Serving) -> Result<SocketAddr, Failure> {
    serving.addresses().first().copied().ok_or_else(|| Failure::ours("the gateway listens nowhere"))
}

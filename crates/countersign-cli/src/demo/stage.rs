//! What the demo needs before it can play: keys, a configuration, a registry, and everybody listening.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use countersign::{Algorithm, Keys, Material, Policy, Scheme, SharedSecret, SigningKey};
use countersign_store::Registry;
use countersign_store::registry::{KeyAdd, KeySelector};

use super::http::serve;
use super::receiver::{self, Receiver};
use super::scenes::Cast;
use super::sender::{self, KEY_ID, Sender};
use crate::config::Config;
use crate::exit::Failure;
use crate::file::NewFile;
use crate::place::Place;
use crate::serve::Serving;
use crate::{moment, random, wire};

/// A port by its default, or by the name that somebody gave it.
pub(super) struct Port {
    pub(super) asked: Option<u16>,
    pub(super) default: u16,
    pub(super) flag: &'static str,
}

/// Everything set up; the gateway is bound, and served by who holds this.
pub(super) struct Stage {
    pub(super) cast: Cast,
    pub(super) serving: Serving,
    pub(super) keys: Arc<Keys>,
    pub(super) policy: Arc<Policy>,
    pub(super) config: PathBuf,
    /// What is different from what one may expect.
    pub(super) notes: Vec<String>,
}

impl Port {
    /// A listener there; a default that is taken gives way to a free one.
    fn open(&self, notes: &mut Vec<String>) -> Result<TcpListener, Failure> {
        let loopback = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
        let failed = |port: u16, fault: std::io::Error| {
            Failure::usage(format!("can't listen on port {port}: {}", crate::exit::words(&fault)))
                .hint(format!("leave {} out, and the demo takes a free port", self.flag))
        };
        if let Some(port) = self.asked {
            return loopback(port).map_err(|fault| failed(port, fault));
        }
        loopback(self.default).or_else(|_| {
            let free = loopback(0).map_err(|fault| failed(0, fault))?;
            if let Ok(address) = free.local_addr() {
                notes.push(format!("port {} is taken: using {} instead", self.default, address.port()));
            }
            Ok(free)
        })
    }
}

impl Stage {
    pub(super) async fn set(dir: &Path, gateway: &Port, sender_api: &Port) -> Result<Self, Failure> {
        let mut notes = Vec::new();
        let upstream = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(Failure::ours)?;
        let at_upstream = upstream.local_addr().map_err(Failure::ours)?;
        serve(upstream, Arc::new(Receiver::default()), receiver::handle).map_err(Failure::ours)?;
        let sender_listener = sender_api.open(&mut notes)?;
        let at_sender = sender_listener.local_addr().map_err(Failure::ours)?;
        // Found free, and let go of for the gateway.
        let at_gateway = gateway.open(&mut notes)?.local_addr().map_err(Failure::ours)?;

        let config = dir.join("countersign.toml");
        let text = configuration(at_gateway, at_upstream);
        std::fs::write(&config, &text).map_err(Failure::ours)?;
        let place = Place::of(Config::read(&text, &config, std::iter::empty())?.0);
        let registry = place.registry_to_write().await?;
        let (own, public_pem) = sender::own_key(dir)?;
        let (partner, revoked) = register(&registry, dir, &public_pem).await?;
        registry.close().await;
        let stranger = SigningKey::generate(Algorithm::RsaPssSha256, 2048)?;
        let stranger = SigningKey::from_file(stranger.private.as_bytes(), Scheme::Pki, None)?;

        let log = File::create(dir.join("gateway.log")).map_err(Failure::ours)?;
        let serving = Serving::prepare(&place, Box::new(log)).await?;
        let at_gateway = serving.addresses().first().copied().unwrap_or(at_gateway);
        let sender = Arc::new(Sender::new(own, public_pem, at_gateway));
        serve(sender_listener, Arc::clone(&sender), sender::handle).map_err(Failure::ours)?;
        let route =
            place.config.routes.first().ok_or_else(|| Failure::ours("the demo's configuration has no route"))?;
        let policy = Arc::new(wire::policy(route, place.config.memory())?);
        let cast = Cast { gateway: at_gateway, sender_api: at_sender, sender, partner, revoked, stranger };
        Ok(Self { cast, keys: serving.keys()?, serving, policy, config, notes })
    }
}

/// The keys of `http-message-signatures`, and the one that is revoked.
type Signers = (Vec<(Algorithm, String, SigningKey)>, (String, SigningKey));

async fn register(registry: &Registry, dir: &Path, public_pem: &str) -> Result<Signers, Failure> {
    let now = moment::now();
    for partner in [SENDER, PARTNER] {
        registry.add_partner(partner, now).await?;
    }
    let add = async |partner: &str, id: &str, scheme, algorithm, material| {
        let (partner, id) = (partner.to_owned(), id.to_owned());
        let (not_before, not_after, form) = (None, None, None);
        let (pending, shared, allow_test_keys) = (false, false, false);
        let add = KeyAdd {
            partner,
            id,
            scheme,
            algorithm,
            material,
            not_before,
            not_after,
            pending,
            form,
            shared,
            allow_test_keys,
        };
        registry.add_key(add, now).await
    };
    let pki = Algorithm::RsaPssSha256;
    add(SENDER, KEY_ID, Scheme::Pki, pki, Material::from_public_pem(public_pem.as_bytes())?).await?;
    let old = SigningKey::generate(pki, 2048)?;
    add(SENDER, REVOKED, Scheme::Pki, pki, Material::from_public_pem(old.public.as_bytes())?).await?;
    registry.revoke_key(&KeySelector::id(REVOKED), "the demo shows what becomes of it", now).await?;
    let old = SigningKey::from_file(old.private.as_bytes(), Scheme::Pki, None)?;

    let mut partner = Vec::new();
    for &algorithm in Scheme::HttpMessageSignatures.algorithms() {
        let id = format!("{PARTNER}-{algorithm}");
        let (private, material) = match algorithm {
            Algorithm::HmacSha256 => {
                let secret = random::secret()?;
                let shared = SharedSecret::from_file(secret.as_bytes().to_vec());
                (secret, Material::Shared(shared))
            }
            _ => {
                let pair = SigningKey::generate(algorithm, 2048)?;
                (pair.private, Material::from_public_pem(pair.public.as_bytes())?)
            }
        };
        let mut file = NewFile::create(&dir.join(format!("{id}.key")), 0o600)?;
        file.write(private.as_bytes())?;
        file.keep();
        let scheme = Scheme::HttpMessageSignatures;
        add(PARTNER, &id, scheme, algorithm, material).await?;
        partner.push((algorithm, id, SigningKey::from_file(private.as_bytes(), scheme, Some(algorithm))?));
    }
    Ok((partner, (REVOKED.to_owned(), old)))
}

/// The first route is the one whose policy the costs are measured under.
fn configuration(gateway: SocketAddr, upstream: SocketAddr) -> String {
    let mut text = format!(
        "data = \"data\"\n\n[gateway]\nlisten = [\"{gateway}\"]\n\n[admin]\nlisten = \"127.0.0.1:0\"\n\n[evidence]\n\
         durability = \"off\"\n"
    );
    for path in ["/message1", "/message2"] {
        text += &format!(
            "\n[[route]]\npath = \"{path}\"\nupstream = \"http://{upstream}\"\nschemes = [\"pki\", \
             \"http-message-signatures\"]\nrefusals = \"components\"\n[route.pki]\nsigner = \"{KEY_ID}\"\n"
        );
    }
    for path in ["/messages", "/health"] {
        text +=
            &format!("\n[[route]]\npath = \"{path}\"\nupstream = \"http://{upstream}\"\nrefusals = \"components\"\n");
    }
    text
}

const SENDER: &str = "sender-api";
pub(super) const PARTNER: &str = "acme";
const REVOKED: &str = "sender-old";

//! What the demo needs before it can play: keys, a configuration, a registry, and everybody listening.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use countersign::{Algorithm, Keys, Policy, Scheme, SigningKey};

use super::http::serve;
use super::receiver::{self, Receiver};
use super::register::{SITES, register};
use super::scenes::Cast;
use super::sender::{self, KEY_ID, Sender};
use crate::config::Config;
use crate::exit::Failure;
use crate::place::Place;
use crate::serve::Serving;
use crate::wire;

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
    /// By the path of their route.
    pub(super) policies: BTreeMap<String, Arc<Policy>>,
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
        let signers = register(&registry, dir, &public_pem).await?;
        registry.close().await;
        let stranger = SigningKey::generate(Algorithm::RsaPssSha256, 2048)?;
        let stranger = SigningKey::from_file(stranger.private.as_bytes(), Scheme::Pki, None)?;

        let log = File::create(dir.join("gateway.log")).map_err(Failure::ours)?;
        let serving = Serving::prepare(&place, Box::new(log)).await?;
        let at_gateway = serving.addresses().first().copied().unwrap_or(at_gateway);
        let sender = Arc::new(Sender::new(own, public_pem, at_gateway));
        serve(sender_listener, Arc::clone(&sender), sender::handle).map_err(Failure::ours)?;
        let policies = place.config.routes.iter();
        let policies =
            policies.map(|route| Ok((route.path.clone(), Arc::new(wire::policy(route, place.config.memory())?))));
        let policies = policies.collect::<Result<_, Failure>>()?;
        let cast = Cast { gateway: at_gateway, sender_api: at_sender, sender, signers, stranger };
        Ok(Self { cast, keys: serving.keys()?, serving, policies, config, notes })
    }
}

fn configuration(gateway: SocketAddr, upstream: SocketAddr) -> String {
    let mut text = format!(
        "data = \"data\"\n\n[gateway]\nlisten = [\"{gateway}\"]\n\n[admin]\nlisten = \"127.0.0.1:0\"\n\n[evidence]\n\
         durability = \"off\"\n\n[registry]\ntrusted_sites = \"{SITES}\"\n"
    );
    for path in ["/message1", "/message2", "/file"] {
        text += &format!(
            "\n[[route]]\npath = \"{path}\"\nupstream = \"http://{upstream}\"\nschemes = [\"pki\", \
             \"http-message-signatures\"]\nrefusals = \"components\"\n[route.pki]\nsigner = \"{KEY_ID}\"\n"
        );
    }
    // A scheme that signs the body alone is bound to one path.
    for (path, scheme) in [("/site/message1", Scheme::TrustedSite), ("/app/message1", Scheme::AppHmac)] {
        text += &format!(
            "\n[[route]]\npath = \"{path}\"\nupstream = \"http://{upstream}\"\nschemes = [\"{scheme}\"]\nrefusals = \
             \"components\"\n"
        );
    }
    for path in ["/messages", "/health"] {
        text +=
            &format!("\n[[route]]\npath = \"{path}\"\nupstream = \"http://{upstream}\"\nrefusals = \"components\"\n");
    }
    text
}

//! The demo's two gateways: the one that everybody meets, and a narrow one, where what others rarely see is seen at once.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use countersign::Scheme;

use super::register::SITES;
use super::sender::KEY_ID;
use crate::config::Config;
use crate::exit::Failure;
use crate::place::Place;
use crate::serve::{Serving, Start};

/// A directory with the configuration of a gateway.
pub(super) struct Deployment {
    pub(super) place: Place,
    dir: PathBuf,
}

impl Deployment {
    /// The gateway of the scenes.
    pub(super) fn main(dir: &Path, gateway: SocketAddr, upstream: SocketAddr) -> Result<Self, Failure> {
        Self::written(dir, &main(gateway, upstream))
    }

    /// The narrow one, on a free port: see [`narrow`].
    pub(super) fn narrow(dir: &Path, upstream: SocketAddr, silent: SocketAddr) -> Result<Self, Failure> {
        let dir = dir.join("narrow");
        std::fs::create_dir(&dir).map_err(Failure::ours)?;
        // Bound and let go of, so that nobody listens there.
        let gone = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|gone| gone.local_addr());
        let mut deployment = Self::written(&dir, &narrow(upstream, silent, gone.map_err(Failure::ours)?))?;
        // Below what a file may say.
        deployment.place.config.replay.max_entries = NARROW_MEMORY;
        Ok(deployment)
    }

    fn written(dir: &Path, text: &str) -> Result<Self, Failure> {
        let config = dir.join("countersign.toml");
        std::fs::write(&config, text).map_err(Failure::ours)?;
        let place = Place::of(Config::read(text, &config, std::iter::empty())?.0);
        Ok(Self { place, dir: dir.to_owned() })
    }

    /// Binds its gateway, whose log is `gateway.log`, or lets it have the socket at its address.
    pub(super) async fn serving(&self, listener: Option<TcpListener>) -> Result<Serving, Failure> {
        let log = File::create(self.dir.join("gateway.log")).map_err(Failure::ours)?;
        Serving::prepare(&self.place, Start::at(&self.place, listener)?, Box::new(log)).await
    }
}

fn main(gateway: SocketAddr, upstream: SocketAddr) -> String {
    let mut text = format!("{}\n[registry]\ntrusted_sites = \"{SITES}\"\n", head(gateway, ""));
    text += &format!("\n[token]\nissuer = \"http://{gateway}\"\n\n[seal]\nkeys = [\"{SEAL_KEY}\"]\n");
    for path in ["/message1", "/message2", "/file"] {
        text += &route(path, upstream, "schemes = [\"pki\", \"http-message-signatures\"]");
        text += &format!("[route.pki]\nsigner = \"{KEY_ID}\"\n");
    }
    // A scheme that signs the body alone is bound to one path.
    for (path, scheme) in [("/site/message1", Scheme::TrustedSite), ("/app/message1", Scheme::AppHmac)] {
        text += &route(path, upstream, &format!("schemes = [\"{scheme}\"]"));
    }
    let open = "schemes = [\"http-message-signatures\", \"pki\"]\nopen = [\"/card/number\", \"/card/code\"]";
    text += &format!("{}[route.pki]\nsigner = \"{KEY_ID}\"\n", route("/orders", upstream, open));
    text += &route("/orders/unbound", upstream, "open = [\"/card/number\"]\nunbound = true");
    text += &route("/messages", upstream, "");
    // A token is enough, and is taken at its word for who the user is.
    text += &route("/auth/me", upstream, "schemes = []\nuser = \"required\"");
    // Whoever asks whether it is well does not sign.
    text + &route("/health", upstream, "mode = \"observe\"")
}

/// A route for each refusal that is about limits, or about the API behind.
fn narrow(upstream: SocketAddr, silent: SocketAddr, gone: SocketAddr) -> String {
    let limits = "max_headers = 20\nbody_timeout = \"300ms\"\nupstream_timeout = \"300ms\"\n";
    let mut text = head(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), limits);
    text += &route("/message1", upstream, "");
    text += &route("/closed", upstream, "partners = [\"nobody\"]");
    text += &route("/small", upstream, "max_body = \"64B\"");
    text += &route("/silent", silent, "");
    text += &route("/gone", gone, "");
    // The level that a deployment has unless it says otherwise.
    text + &route("/discreet", upstream, "").replace("components", "code")
}

fn head(listen: SocketAddr, limits: &str) -> String {
    format!(
        "data = \"data\"\n\n[gateway]\nlisten = [\"{listen}\"]\nshutdown_delay = \"0s\"\n{limits}\n[admin]\nlisten = \"127.0.0.1:0\"\n\n\
         [evidence]\ndurability = \"off\"\n"
    )
}

fn route(path: &str, upstream: SocketAddr, more: &str) -> String {
    let more = if more.is_empty() { String::new() } else { format!("{more}\n") };
    format!("\n[[route]]\npath = \"{path}\"\nupstream = \"http://{upstream}\"\nrefusals = \"components\"\n{more}")
}

/// What opens sealed fields.
pub(super) const SEAL_KEY: &str = "seal.pem";

/// What the narrow gateway can remember: a request that its API does not answer, one that its API is not there for, and
/// no third.
const NARROW_MEMORY: usize = 2;

//! Who takes part.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use countersign::{Algorithm, Scheme};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::messages::{self, Author, Token};
use crate::ours::{Ours, WATCHED};
use crate::peers::{self, ENVOY, HAPROXY, NGINX};
use crate::process::Process;
use crate::rounds::{Contender, Load};
use crate::{Settings, address};

/// The contender that all others are told in.
pub const YARDSTICK: &str = "nginx";
pub const HAPROXY_TOKEN: &str = "HAProxy, jwt_verify RS256";
pub const ENVOY_TOKEN: &str = "Envoy, jwt_authn RS256";
pub const FORWARDING: &str = "ours, forwarding";
pub const TWO_WORKERS: &str = "ours, two workers, ";
/// One worker whose callers sleep as those of two do, to compare two with.
pub const ONE_WORKER: &str = "ours, callers asleep, ";

/// A name of ours, its scheme, its algorithm.
const SCHEMES: [(&str, Scheme, Algorithm); 8] = [
    ("ours, hmac-sha256", Scheme::HttpMessageSignatures, Algorithm::HmacSha256),
    ("ours, app-hmac", Scheme::AppHmac, Algorithm::HmacSha256),
    ("ours, rsa-pss-sha512", Scheme::HttpMessageSignatures, Algorithm::RsaPssSha512),
    ("ours, rsa-v1_5-sha256", Scheme::HttpMessageSignatures, Algorithm::RsaV15Sha256),
    ("ours, pki", Scheme::Pki, Algorithm::RsaPssSha256),
    ("ours, trusted-site", Scheme::TrustedSite, Algorithm::RsaV15Sha256),
    ("ours, ed25519", Scheme::HttpMessageSignatures, Algorithm::Ed25519),
    ("ours, ecdsa-p256-sha256", Scheme::HttpMessageSignatures, Algorithm::EcdsaP256Sha256),
];

/// The contenders who sign, in the order of their authors.
pub fn signing() -> impl Iterator<Item = &'static str> {
    SCHEMES.iter().map(|(name, ..)| *name)
}

/// All processes, and those who sign for them.
pub struct Stage {
    nginx: Process,
    haproxy: Process,
    envoy: Process,
    gateway: Process,
    two_workers: Process,
    pub authors: Vec<Author>,
    token: Token,
    pub origin: SocketAddr,
}

impl Stage {
    /// Starts everybody.
    pub fn set(settings: &Settings, origin: SocketAddr) -> Self {
        let (dir, core) = (&settings.dir, settings.core.as_str());
        let authors: Vec<Author> = SCHEMES
            .iter()
            .map(|(name, scheme, algorithm)| Author::new(name.trim_start_matches("ours, "), *scheme, *algorithm))
            .collect();
        let token = Token::new();
        let ours =
            |name: &str, workers, port| Ours { binary: &settings.countersign, dir: dir.join(name), workers, port };
        Self {
            nginx: peers::nginx(dir, origin, core),
            haproxy: peers::haproxy(dir, origin, core, &token),
            envoy: peers::envoy(dir, origin, core, &token, &settings.envoy),
            gateway: ours("one", 1, OURS).start(&authors, origin, core),
            two_workers: ours("two", 2, OURS_TWO).start(&authors, origin, "0,1"),
            authors,
            token,
            origin,
        }
    }

    /// Those of them that were asked for, the yardstick first.
    pub fn contenders(&self, settings: &Settings) -> Vec<Contender<'_>> {
        let plain = || Load::Same(messages::plain("/orders", &[]));
        let token = || Load::Same(messages::plain("/orders", &[("Authorization", &self.token.bearer)]));
        let unsigned = || Load::Same(messages::plain(WATCHED, &[]));
        let tls = Arc::new(client(&settings.dir, true));
        let mut all = vec![
            contender(YARDSTICK, &self.nginx, NGINX.plain, plain()),
            Contender { tls: Some(tls), ..contender("nginx, mutual TLS", &self.nginx, NGINX.strict, plain()) },
            contender("HAProxy", &self.haproxy, HAPROXY.plain, plain()),
            contender(HAPROXY_TOKEN, &self.haproxy, HAPROXY.strict, token()),
            contender("Envoy", &self.envoy, ENVOY.plain, plain()),
            contender(ENVOY_TOKEN, &self.envoy, ENVOY.strict, token()),
            contender(FORWARDING, &self.gateway, OURS, unsigned()),
        ];
        for ((name, ..), author) in SCHEMES.iter().zip(&self.authors) {
            all.push(contender(name, &self.gateway, OURS, Load::Signed(author, &author.path)));
        }
        let of = |algorithm| self.authors.iter().find(|author| author.pair.algorithm == algorithm);
        if let (Some(hmac), Some(ed25519)) = (of(Algorithm::HmacSha256), of(Algorithm::Ed25519)) {
            let watched = |author| Load::Signed(author, WATCHED);
            all.push(contender("ours, observed, hmac-sha256", &self.gateway, OURS, watched(hmac)));
            all.push(contender("ours, observed, ed25519", &self.gateway, OURS, watched(ed25519)));
            let signed = || Load::Signed(hmac, &hmac.path);
            for (name, process, port, load) in [
                ("ours, callers asleep, forwarding", &self.gateway, OURS, unsigned()),
                ("ours, callers asleep, hmac-sha256", &self.gateway, OURS, signed()),
                ("ours, two workers, forwarding", &self.two_workers, OURS_TWO, unsigned()),
                ("ours, two workers, hmac-sha256", &self.two_workers, OURS_TWO, signed()),
            ] {
                all.push(Contender { asleep: true, ..contender(name, process, port, load) });
            }
        }
        all.retain(|contender| contender.name == YARDSTICK || settings.wants(contender.name));
        all
    }
}

fn contender<'a>(name: &'static str, process: &'a Process, port: u16, load: Load<'a>) -> Contender<'a> {
    Contender { name, process, address: address(port), tls: None, load, asleep: false }
}

/// A caller who speaks TLS, with or without a certificate of its own.
pub fn client(dir: &Path, certified: bool) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(dir.join("ca.pem")).expect("ca.pem")).expect("an authority");
    let client = ClientConfig::builder().with_root_certificates(roots);
    if !certified {
        return client.with_no_client_auth();
    }
    let chain = vec![CertificateDer::from_pem_file(dir.join("client.pem")).expect("client.pem")];
    let key = PrivateKeyDer::from_pem_file(dir.join("client.key")).expect("client.key");
    client.with_client_auth_cert(chain, key).expect("a certificate and its key")
}

const OURS: u16 = 9131;
const OURS_TWO: u16 = 9141;
/// Of one more, whose memory is measured.
pub const OURS_FRESH: u16 = 9151;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::forms;
use super::names::Durability;
use super::section::Section;
use super::store_url::{self, RegistryUrl, ReplayUrl, Source};

/// `[admin]`: the port of the operator.
#[derive(Clone, Debug)]
pub struct Admin {
    /// `/livez`, `/readyz` and `/metrics` for all who reach it, the rest for those with a token; `127.0.0.1:9090`.
    pub listen: SocketAddr,
}

/// `[registry]`: partners and keys.
#[derive(Clone, Debug)]
pub struct Registry {
    /// Where it is; `registry.db` in the data directory.
    pub url: Source<RegistryUrl>,
    /// Directory of `<site_id>_public.pem`, watched: keys of `trusted-site`.
    pub trusted_sites: Option<PathBuf>,
    /// How long the last snapshot serves while the registry does not answer; 1 minute. Zero: not at all.
    pub max_stale: Duration,
}

/// `[replay]`: what was admitted before.
#[derive(Clone, Debug)]
pub struct Replay {
    /// Where it is remembered; in memory.
    pub url: Source<ReplayUrl>,
    /// How many requests `memory:` remembers; 4 000 000, about 400 MB. A full memory refuses, it never forgets.
    pub max_entries: usize,
}

/// `[evidence]`: what is kept of each decision.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// When a decision counts as kept; `strict`.
    pub durability: Durability,
}

impl Admin {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let listen = section.value("listen", forms::address);
        Self { listen: listen.unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, 9090))) }
    }
}

impl Registry {
    /// `data` is where the registry is unless it says otherwise.
    pub(super) fn read(section: &mut Section<'_>, data: &Path) -> Self {
        let url = match section.value("url", store_url::registry) {
            Some(RegistryUrl::Sqlite(path)) => RegistryUrl::Sqlite(section.resolve(&path)),
            Some(url) => url,
            None => RegistryUrl::Sqlite(data.join("registry.db")),
        };
        Self {
            url: section.path("url_file").map_or(Source::Url(url), Source::File),
            trusted_sites: section.path("trusted_sites"),
            max_stale: section
                .duration("max_stale", Duration::ZERO..=Duration::from_hours(1))
                .unwrap_or(Duration::from_mins(1)),
        }
    }
}

impl Replay {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let url = section.value("url", store_url::replay).unwrap_or(ReplayUrl::Memory);
        Self {
            url: section.path("url_file").map_or(Source::Url(url), Source::File),
            max_entries: section.number("max_entries", 1000..=1_000_000_000).unwrap_or(4_000_000),
        }
    }
}

impl Evidence {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        Self { durability: section.value("durability", forms::named).unwrap_or(Durability::Strict) }
    }
}

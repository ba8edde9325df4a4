//! `countersign.toml`: read, checked and judged before anything starts.
//!
//! Text becomes a [`Config`] in one pass, and everything that is wrong with it is told at once, each with its place:
//!
//! 1. `document` reads TOML, and keeps where every value stands;
//! 2. `section` hands out values by key, those of the environment (`overlay`) before those of the file. What nobody asks
//!    for is unknown (`nearest` says what was meant), what nothing stands behind yet is in the table of `not_yet`;
//! 3. `forms` turns values into typed ones (`units`, `names`, `origin`, `store_url`, `component`, `route_path`);
//! 4. `gateway`, `stores`, `token`, `route` and `sidecar` are the sections: each key with its unit and default;
//! 5. `check` refuses what makes no sense together;
//! 6. `lint` reports what is allowed and unwise, `init` is the file to start from.
//!
//! Nothing in here reads a file, an environment or a clock: the caller hands in what it has read.

mod check;
mod check_route;
mod component;
mod document;
mod forms;
mod gateway;
mod init;
mod issue;
mod lint;
mod lint_route;
mod lint_sidecar;
mod names;
mod nearest;
mod not_yet;
mod origin;
mod overlay;
mod reader;
mod route;
mod route_path;
mod section;
mod sidecar;
mod store_url;
mod stores;
mod token;
mod units;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use countersign_proxy::ExchangeSettings;
use reader::{Places, Reader};
use section::Section;

pub use gateway::{Gateway, Limits, Tls};
pub use init::init_file;
pub use issue::{ConfigError, Issue, Place, Warning};
pub use lint::Finding;
pub use names::{
    Algorithm, Channel, ClientAuth, Durability, Http, Layout, Mode, Nonce, NonceForm, PkiReplay, Refusals, Scheme,
    SealAlgorithm, TokenAlgorithm, Unit, UnknownName, User, Zone,
};
pub use origin::Origin;
pub use route::{Health, HttpMessageSignatures, Pki, Route};
pub use sidecar::{Allow, SealFor, Sidecar, SidecarSeal, is_thumbprint};
pub use store_url::{RegistryUrl, ReplayUrl, SecretUrl, Source};
pub use stores::{Admin, Evidence, Registry, Replay};
pub use token::{Seal, Token};
pub use units::Rate;
pub(crate) use units::{mode, size};

/// A whole `countersign.toml`, read and checked. Paths are resolved: relative ones start at the directory of the file.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file as the user named it.
    pub file: PathBuf,
    /// The data directory; `countersign-data`.
    pub data: PathBuf,
    /// `[gateway]`.
    pub gateway: Gateway,
    /// `[admin]`.
    pub admin: Admin,
    /// `[registry]`.
    pub registry: Registry,
    /// `[replay]`.
    pub replay: Replay,
    /// `[evidence]`.
    pub evidence: Evidence,
    /// `[token]`; absent: no user tokens.
    pub token: Option<Token>,
    /// `[seal]`.
    pub seal: Seal,
    /// Every `[[route]]`, in the order of the file. No two have the same path.
    pub routes: Vec<Route>,
    /// `[sidecar]`; absent: flags alone.
    pub sidecar: Option<Sidecar>,
    places: Places,
}

impl Config {
    /// Reads and checks a configuration.
    ///
    /// `file` is where `text` comes from: relative paths start at its directory, errors name it. Of `environment`, the
    /// variables `COUNTERSIGN_SECTION__KEY` override what the file says: in TOML's syntax, or as plain text; lists also with
    /// commas. Their relative paths start at the same directory. Hand in what `vars_os` gives as
    /// text: `vars` panics on a variable that is not UTF-8.
    ///
    /// # Errors
    /// Everything that keeps this configuration from being used, each fault with its place and what to do.
    pub fn read(
        text: &str,
        file: &Path,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<(Self, Vec<Warning>), ConfigError> {
        let Understood { config, mut issues, not_yet, mut warnings } = Understood::of(text, file, environment)?;
        issues.extend(not_yet);
        if !issues.is_empty() {
            return Err(ConfigError::new(issues));
        }
        warnings.sort_by(|one, other| one.place().cmp(other.place()));
        Ok((config, warnings))
    }

    fn of(document: &mut Section<'_>, file: &Path) -> Self {
        let data = document.path("data").unwrap_or_else(|| document.resolve(Path::new("countersign-data")));
        let gateway = document.section("gateway", Gateway::read);
        Self {
            file: file.to_owned(),
            admin: document.section("admin", Admin::read),
            registry: document.section("registry", |section| Registry::read(section, &data)),
            replay: document.section("replay", Replay::read),
            evidence: document.section("evidence", Evidence::read),
            token: document.optional("token", |section| Token::read(section, gateway.public_url.first())).flatten(),
            seal: document.section("seal", Seal::read),
            routes: document.each("route", Route::read).into_iter().flatten().collect(),
            sidecar: document.optional("sidecar", Sidecar::read),
            places: Places::new(file),
            data,
            gateway,
        }
    }

    /// What is allowed and unwise, in the order of the file.
    #[must_use]
    pub fn lint(&self) -> Vec<Finding> {
        lint::lint(self)
    }

    /// What is fine and could be better still.
    #[must_use]
    pub fn notes(&self) -> Vec<&'static str> {
        lint_sidecar::notes(self)
    }

    /// Where a setting stands: `gateway.tls.key`.
    #[must_use]
    pub fn place_of(&self, path: &str) -> Place {
        self.places.of(path).clone()
    }

    /// The longest time for which any message may pass anywhere here: how long the past has to be remembered.
    #[must_use]
    pub fn window(&self) -> Duration {
        let exchange = self.token.is_some().then_some(2 * ExchangeSettings::WINDOW);
        self.routes.iter().map(Route::window).chain(exchange).max().unwrap_or_default()
    }

    /// How long the routes' policies take what was admitted to be remembered: a message may be sent to any route of any
    /// gateway that shares the memory.
    #[must_use]
    pub fn memory(&self) -> countersign::Memory {
        countersign::Memory { window: self.window(), raised: Vec::new() }
    }
}

/// What a text says, and everything that there is to say about it.
struct Understood {
    config: Config,
    /// What is wrong with it.
    issues: Vec<Issue>,
    /// What is right, and can't be had yet.
    not_yet: Vec<Issue>,
    warnings: Vec<Warning>,
}

impl Understood {
    fn of(text: &str, file: &Path, environment: impl Iterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let table = document::parse(text, &file.display().to_string().into()).map_err(ConfigError::new)?;
        let mut reader = Reader::new(file, environment);
        let mut config = reader.read(table, |document| Config::of(document, file));
        let Reader { mut issues, not_yet, warnings, places, .. } = reader;
        config.places = places;
        if issues.is_empty() {
            // Otherwise defaults stand for what was misread, and would give faults that are none.
            issues = check::check(&config);
        }
        Ok(Self { config, issues, not_yet, warnings })
    }
}

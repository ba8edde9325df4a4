use std::fmt;
use std::path::{Path, PathBuf};

use countersign_store::replay::RedisAddress;

use super::document::Node;
use super::forms::Wrong;

/// Where the registry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegistryUrl {
    /// `sqlite:…`: the file.
    Sqlite(PathBuf),
    /// `postgres://…`.
    Postgres(SecretUrl),
}

/// Where replays are remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplayUrl {
    /// `memory:`: in this process.
    Memory,
    /// `redis://…`, `rediss://…` or `redis+cluster://…`: Redis or Valkey, shared by all gateways.
    Redis(SecretUrl),
}

/// A URL, or the file that holds it, so that its password stands in no configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source<T> {
    /// `url`.
    Url(T),
    /// `url_file`: to be read when it is needed, one final LF less.
    File(PathBuf),
}

/// A URL that may hold a password: shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl(String);

impl SecretUrl {
    /// The whole URL, to connect with.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.0.split(':').next().unwrap_or_default();
        write!(f, "{scheme}:…")
    }
}

impl RegistryUrl {
    /// Reads a URL as `url_file` holds it. Relative paths start at `base`.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(text: &str, base: &Path) -> Result<Self, String> {
        let expected = || "expected \"sqlite:<path>\" or \"postgres://…\"".to_owned();
        if is_url_of(text, &["postgres", "postgresql"]) {
            return Ok(RegistryUrl::Postgres(SecretUrl(text.to_owned())));
        }
        let path = text.strip_prefix("sqlite:").ok_or_else(expected)?;
        let path = path.strip_prefix("//").unwrap_or(path);
        if path.is_empty() || path.starts_with(':') || path.contains(['?', '#']) || path.contains(char::is_control) {
            return Err(expected());
        }
        Ok(RegistryUrl::Sqlite(base.join(path)))
    }
}

impl ReplayUrl {
    /// Reads a URL as `url_file` holds it.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "memory:" {
            return Ok(ReplayUrl::Memory);
        }
        if !text.contains("://") {
            return Err("expected \"memory:\" or \"redis://…\"".to_owned());
        }
        RedisAddress::parse(text).map(|_| ReplayUrl::Redis(SecretUrl(text.to_owned())))
    }
}

fn is_url_of(text: &str, schemes: &[&str]) -> bool {
    let rest = text.split_once("://").filter(|(scheme, _)| schemes.contains(scheme));
    rest.is_some_and(|(_, rest)| !rest.is_empty() && !rest.contains(char::is_control))
}

/// `[registry] url`, its path still as it stands.
pub(super) fn registry(node: &Node) -> Result<RegistryUrl, Wrong> {
    RegistryUrl::parse(node.as_text().unwrap_or_default(), Path::new("")).map_err(Wrong::new)
}

/// `[replay] url`.
pub(super) fn replay(node: &Node) -> Result<ReplayUrl, Wrong> {
    ReplayUrl::parse(node.as_text().unwrap_or_default()).map_err(Wrong::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn store_urls_are_of_known_kinds() {
        let base = Path::new("/etc/countersign");
        let sqlite = |path: &str| Ok(RegistryUrl::Sqlite(path.into()));
        assert_eq!(RegistryUrl::parse("sqlite:data/r.db", base), sqlite("/etc/countersign/data/r.db"));
        assert_eq!(RegistryUrl::parse("sqlite:///var/r.db", base), sqlite("/var/r.db"));
        assert!(matches!(RegistryUrl::parse("postgres://u:p@h/db", base), Ok(RegistryUrl::Postgres(_))));
        for text in ["", "sqlite:", "sqlite::memory:", "sqlite:a?mode=ro", "mysql://h", "postgres:", "r.db"] {
            assert!(RegistryUrl::parse(text, base).is_err(), "{text}");
        }
        assert_eq!(ReplayUrl::parse("memory:"), Ok(ReplayUrl::Memory));
        assert!(matches!(ReplayUrl::parse("rediss://h"), Ok(ReplayUrl::Redis(_))));
        for text in ["", "memory", "memory:x", "redis:", "redis://", "http://h", "redis://a,b", "rediss://h#insecure"] {
            assert!(ReplayUrl::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn passwords_of_stores_are_not_shown() {
        let url = RegistryUrl::parse("postgres://u:geheim@h/db", Path::new("")).unwrap();
        assert_eq!(format!("{url:?}"), "Postgres(postgres:…)");
    }
}

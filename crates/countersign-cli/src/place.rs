//! Where a deployment's files are: its configuration, data directory and registry.

use std::path::{Path, PathBuf};

use countersign_store::Registry;

use crate::config::{Config, RegistryUrl, Source, Warning};
use crate::exit::{Failure, io};
use crate::output;

/// `--config F`
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct ConfigFile {
    /// The configuration [default: countersign.toml; where there is none, its defaults]
    #[arg(long = "config", value_name = "FILE")]
    file: Option<PathBuf>,
}

impl ConfigFile {
    pub(crate) fn named(file: PathBuf) -> Self {
        Self { file: Some(file) }
    }

    pub(crate) fn path(&self) -> &Path {
        self.file.as_deref().unwrap_or(Path::new(DEFAULT))
    }

    /// What has to stand in a next command for it to mean the same place.
    pub(crate) fn flag(&self) -> String {
        self.file.as_ref().map_or_else(String::new, |file| format!(" --config {}", file.display()))
    }

    /// Reads and checks the file, which has to be there.
    pub(crate) fn read(&self) -> Result<(Config, Vec<Warning>), Failure> {
        let path = self.path();
        let text = std::fs::read_to_string(path).map_err(|fault| {
            let failure = io("can't read", path, &fault);
            let missing = fault.kind() == std::io::ErrorKind::NotFound;
            if missing { failure.hint("countersign init, or name the file with --config FILE") } else { failure }
        })?;
        parse(&text, path)
    }
}

/// A deployment, found by its configuration.
pub(crate) struct Place {
    pub(crate) config: Config,
    /// Whether the configuration is there, not only what it would be without a file.
    written: bool,
}

impl Place {
    /// By a configuration that was read already.
    pub(crate) fn of(config: Config) -> Self {
        Self { config, written: true }
    }

    /// By the file that is named; without one by `countersign.toml` here, or the defaults where there is none, so that
    /// partners and keys can be added before anything is configured.
    pub(crate) fn find(file: &ConfigFile) -> Result<Self, Failure> {
        if file.file.is_some() || file.path().exists() {
            return Ok(Self { config: file.read()?.0, written: true });
        }
        Ok(Self { config: parse("", file.path())?.0, written: false })
    }

    /// The registry, made with its data directory where it is missing.
    pub(crate) async fn registry_to_write(&self) -> Result<Registry, Failure> {
        let file = self.registry_file()?;
        if !self.written && !file.exists() {
            output::note!("no {DEFAULT} here: making {} with the defaults", self.config.data.display());
        }
        self.open(file).await
    }

    /// The registry, which has to be there.
    pub(crate) async fn registry_to_read(&self) -> Result<Registry, Failure> {
        let file = self.registry_file()?;
        if !file.exists() {
            return Err(Failure::usage(format!("there is no registry at {}", file.display()))
                .hint("countersign partner add NAME makes one; or name the configuration with --config FILE"));
        }
        self.open(file).await
    }

    async fn open(&self, file: &Path) -> Result<Registry, Failure> {
        let registry = Registry::open(&format!("sqlite:{}", file.display()), &self.config.data).await?;
        Ok(registry.with_trusted_sites(self.config.registry.trusted_sites.as_deref()))
    }

    /// The file of the registry.
    pub(crate) fn registry_file(&self) -> Result<&Path, Failure> {
        match &self.config.registry.url {
            Source::Url(RegistryUrl::Sqlite(file)) => Ok(file),
            Source::Url(RegistryUrl::Postgres(_)) | Source::File(_) => {
                Err(Failure::usage("this version keeps its registry in SQLite only").hint("url = \"sqlite:…\""))
            }
        }
    }
}

fn parse(text: &str, path: &Path) -> Result<(Config, Vec<Warning>), Failure> {
    let environment =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    Ok(Config::read(text, path, environment)?)
}

const DEFAULT: &str = "countersign.toml";

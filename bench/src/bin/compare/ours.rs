//! Our gateway, with everything that it has in production: replay memory, metrics, a record of every decision.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use countersign::{Algorithm, Scheme};

use crate::messages::Author;
use crate::process::Process;
use crate::{address, write};

/// A gateway of ours that is set up, and not yet running.
pub struct Ours<'a> {
    pub binary: &'a Path,
    pub dir: PathBuf,
    pub workers: usize,
    pub port: u16,
}

/// The path of the route that only watches.
pub const WATCHED: &str = "/watched";

impl Ours<'_> {
    /// Sets it up from nothing, and starts it.
    pub fn start(&self, authors: &[Author], origin: SocketAddr, cores: &str) -> Process {
        let _ = std::fs::remove_dir_all(&self.dir);
        std::fs::create_dir_all(&self.dir).unwrap_or_else(|e| panic!("{}: {e}", self.dir.display()));
        let config = write(&self.dir, "countersign.toml", &self.config(authors, origin));
        self.run(&config, &["partner", "add", "acme"]);
        for author in authors {
            let algorithm = author.pair.algorithm;
            let (flag, content) = match algorithm {
                Algorithm::HmacSha256 => ("--secret-file", &author.pair.private),
                _ => ("--public-key", &author.pair.public),
            };
            let key = write(&self.dir, &author.key_id, content);
            let file = key.to_string_lossy().into_owned();
            let (scheme, algorithm) = (author.scheme.as_str(), algorithm.as_str());
            let mut add = vec!["key", "add", "--partner", "acme", "--id", &author.key_id, "--scheme", scheme];
            add.extend(["--algorithm", algorithm, flag, &file]);
            if author.scheme == Scheme::AppHmac {
                add.extend(["--nonce-form", "hex32"]);
            }
            self.run(&config, &add);
        }
        let mut command = Command::new(self.binary);
        command.arg("gateway").arg("--config").arg(&config);
        Process::start(&command, cores, &self.dir.join("record.log"), address(self.port))
    }

    fn config(&self, authors: &[Author], origin: SocketAddr) -> String {
        let mut text = format!(
            "[gateway]\nlisten = [\"{}\"]\nworkers = {}\nidle_timeout = \"10m\"\n\
             [admin]\nlisten = \"{}\"\n",
            address(self.port),
            self.workers,
            address(self.port + 1),
        );
        let mut route = |path: &str, scheme: Scheme, mode: &str| {
            text.push_str(&format!(
                "[[route]]\npath = \"{path}\"\nupstream = \"http://{origin}\"\nschemes = [\"{scheme}\"]\n\
                 mode = \"{mode}\"\nmax_age = \"1h\"\n"
            ));
        };
        route(WATCHED, Scheme::HttpMessageSignatures, "observe");
        for author in authors {
            route(&author.path, author.scheme, "enforce");
        }
        text
    }

    fn run(&self, config: &Path, arguments: &[&str]) {
        let output = Command::new(self.binary).args(arguments).arg("--config").arg(config).output();
        let output = output.unwrap_or_else(|e| panic!("{}: {e}", self.binary.display()));
        assert!(output.status.success(), "countersign {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

//! A sidecar that runs.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Stdio};

use super::Dir;
use super::gateway::send;

/// A sidecar in a process of its own; killed when it is dropped.
pub struct Sidecar {
    pub address: String,
    pub child: Child,
}

impl Sidecar {
    #[track_caller]
    pub fn start(dir: &Dir, arguments: &str) -> Self {
        Self::trusting(dir, arguments, None)
    }

    /// One that believes this authority instead of the system's.
    #[track_caller]
    pub fn trusting(dir: &Dir, arguments: &str, authority: Option<&Path>) -> Self {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(dir.path("sidecar.log")).unwrap();
        let mut command = dir.command(&format!("sidecar {arguments}"));
        if let Some(authority) = authority {
            command.env("SSL_CERT_FILE", authority).env_remove("SSL_CERT_DIR");
        }
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.next().unwrap_or_else(|| panic!("no line: {}", dir.read("sidecar.log"))).unwrap();
        let address = line.strip_prefix("sidecar").unwrap_or_else(|| panic!("{line}")).trim().to_owned();
        std::thread::spawn(move || lines.for_each(drop));
        Self { address: address.trim_start_matches("http://").to_owned(), child }
    }

    pub fn tcp(&self) -> SocketAddr {
        self.address.parse().unwrap()
    }

    #[track_caller]
    pub fn send(&self, method: &str, target: &str, fields: &str, body: &str) -> (u16, String) {
        let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let text = format!(
            "{method} {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{length}{fields}\r\n{body}",
            self.address
        );
        send(self.tcp(), &text)
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

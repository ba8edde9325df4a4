//! What is wrong or unwise about the files of TLS, for who configures it. The gateway itself asks only whether they can be used.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use countersign::Timestamp;

use super::certificate::Certificate;
use super::client_auth::authorities;
use super::crl::Crl;
use super::file;
use super::server::{chain, own_key};
use crate::settings::{ClientAuthSettings, TlsSettings};

/// Something to say about a file of [`TlsSettings`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFinding {
    /// Stable, for machines: `crl-ended`.
    pub code: &'static str,
    /// Which setting of `[gateway.tls]` names the file.
    pub setting: &'static str,
    /// What is so, and what comes of it.
    pub message: String,
    /// What to do.
    pub fix: String,
}

impl TlsSettings {
    /// Reads the files as a gateway would at `now`, and says all that there is to say about them.
    #[must_use]
    pub fn examine(&self, now: Timestamp) -> Vec<TlsFinding> {
        let mut findings = Findings { found: Vec::new(), now };
        findings.own(&self.certificate, &self.key);
        if let Some(client_auth) = &self.client_auth {
            findings.clients(client_auth);
        }
        findings.found
    }
}

struct Findings {
    found: Vec<TlsFinding>,
    now: Timestamp,
}

impl Findings {
    fn add(&mut self, code: &'static str, setting: &'static str, message: String, fix: impl Into<String>) {
        self.found.push(TlsFinding { code, setting, message, fix: fix.into() });
    }

    fn own(&mut self, certificate: &Path, key: &Path) {
        match chain(certificate) {
            Ok(chain) => {
                for certificate in chain.iter().filter_map(|it| Certificate::read(it).ok()) {
                    self.dates(&certificate, "certificate", "no caller believes it", "renew it");
                }
                if let Err(why) = own_key(certificate, key) {
                    let code = if why.contains("does not belong") { "key-mismatch" } else { "tls-unusable" };
                    self.add(code, "key", why, "name the private key that this certificate was issued for, in PEM");
                }
            }
            Err(why) => self.add("tls-unusable", "certificate", why, "name the certificate chain in PEM"),
        }
        let open = |mode: u32| mode & 0o077 != 0;
        if std::fs::metadata(key).is_ok_and(|it| open(it.permissions().mode())) {
            let message = format!("{} can be read by others than its owner", key.display());
            self.add("key-readable", "key", message, format!("chmod 600 {}", key.display()));
        }
    }

    fn clients(&mut self, settings: &ClientAuthSettings) {
        let path = &settings.authorities;
        let read = file::read(path, file::AUTHORITIES).and_then(|file| {
            let found = authorities(&file).and_then(|found| found.iter().map(|it| Certificate::read(it)).collect());
            found.map_err(|why: String| format!("{}: {why}", path.display()))
        });
        let trusted: Vec<Certificate> = read.unwrap_or_else(|why| {
            self.add("tls-unusable", "client_ca", why, "name the certificates of the authorities in PEM");
            Vec::new()
        });
        for authority in &trusted {
            self.dates(authority, "client_ca", "it is trusted all the same", "take it out, or renew it");
        }
        let Some(path) = &settings.crl else {
            let message = "callers' certificates are asked for and there is no crl: a stolen one counts until it ends";
            return self.add(
                "crl-absent",
                "client_auth",
                message.to_owned(),
                "crl = \"partners.crl\" in [gateway.tls]",
            );
        };
        let read = file::read(path, file::REVOCATIONS);
        match read.and_then(|file| Crl::read_all(&file).map_err(|why| format!("{}: {why}", path.display()))) {
            Ok(crls) => self.revocations(&crls, &trusted),
            Err(why) => self.add("tls-unusable", "crl", why, "have the authority issue a new list, in PEM or DER"),
        }
    }

    fn revocations(&mut self, crls: &[Crl], trusted: &[Certificate]) {
        for crl in crls {
            let (issuer, end) = (&crl.issuer, crl.next_update);
            if crl.is_stale(self.now) {
                let message = format!("the list of {issuer} has ended at {end}: none of its certificates is taken");
                self.add("crl-ended", "crl", message, "fetch the list again, and often enough from now on");
            } else if crl.is_stale(self.now.after(crl.life() / 4)) {
                let message = format!("the list of {issuer} ends at {end}; then none of its certificates is taken");
                self.add("crl-ends-soon", "crl", message, "fetch the list more often");
            }
        }
        for authority in trusted.iter().filter(|it| !crls.iter().any(|crl| crl.is_of(&it.raw_subject))) {
            let subject = &authority.subject;
            let message = format!("there is no list of {subject}: none of the certificates that it issued is taken");
            self.add(
                "crl-incomplete",
                "crl",
                message,
                "add its list to the file: several stand in PEM behind each other",
            );
        }
    }

    fn dates(&mut self, it: &Certificate, setting: &'static str, then: &str, fix: &str) {
        let (subject, end) = (&it.subject, it.not_after);
        if end < self.now {
            self.add("certificate-ended", setting, format!("{subject} has ended at {end}: {then}"), fix);
        } else if self.now < it.not_before {
            let message = format!("{subject} begins at {}: {then} until then", it.not_before);
            self.add("certificate-not-begun", setting, message, "wait, or compare the clocks");
        } else if end < self.now.after(SOON) {
            self.add("certificate-ends-soon", setting, format!("{subject} ends at {end}: {then} then"), fix);
        }
    }
}

const SOON: Duration = Duration::from_hours(14 * 24);

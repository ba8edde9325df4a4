//! A gateway that asks callers for certificates.

use countersign_proxy::{ClientAuthSettings, TlsSettings};

use crate::authority::{Authority, Wanted, pem};
use crate::client;
use crate::stage::{Setting, Stage};
use crate::tls::{Caller, Files};

/// A gateway that asks for certificates, and the authority that issues them.
pub(crate) struct Mutual {
    pub(crate) files: Files,
    pub(crate) partners: Authority,
    pub(crate) required: bool,
    pub(crate) crl: bool,
}

impl Mutual {
    pub(crate) fn new() -> Self {
        let mutual = Self { files: Files::new(), partners: Authority::new("Partners"), required: true, crl: false };
        std::fs::write(mutual.files.path("ca.pem"), mutual.partners.pem()).unwrap();
        mutual
    }

    pub(crate) fn with_crl(revoked: &[u8]) -> Self {
        let mutual = Self { crl: true, ..Self::new() };
        mutual.revoke(revoked, -60, 3600);
        mutual
    }

    pub(crate) fn revoke(&self, revoked: &[u8], issued: i64, ends: i64) {
        std::fs::write(self.files.path("crl"), pem("X509 CRL", &self.partners.crl(revoked, issued, ends))).unwrap();
    }

    pub(crate) fn settings(&self) -> TlsSettings {
        let client_auth = ClientAuthSettings {
            authorities: self.files.path("ca.pem"),
            crl: self.crl.then(|| self.files.path("crl")),
            required: self.required,
        };
        TlsSettings { client_auth: Some(client_auth), ..self.files.settings() }
    }

    pub(crate) async fn start(&self) -> Stage {
        self.start_with(Setting::default()).await
    }

    pub(crate) async fn start_with(&self, setting: Setting) -> Stage {
        Stage::with(Setting { tls: Some(self.settings()), ..setting }).await
    }

    pub(crate) fn reload(&self, stage: &Stage) -> Result<(), String> {
        let mut settings = stage.settings.clone();
        settings.tls = Some(self.settings());
        stage.control.reload(&settings).map_err(|fault| fault.to_string())
    }

    pub(crate) fn caller(&self, wanted: Wanted) -> Caller {
        Caller::new(&self.files, Some(&self.partners.client(wanted)))
    }
}

pub(crate) async fn get(stage: &Stage) -> Vec<u8> {
    stage.partner.get("/orders").sign().await.keep_alive().bytes()
}

pub(crate) async fn readyz(stage: &Stage) -> serde_json::Value {
    let request = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    client::ask(stage.admin, request).await.json()
}

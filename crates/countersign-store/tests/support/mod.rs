//! Registries in temporary directories, and keys to put in them.
#![allow(dead_code)] // each test binary uses its part of it

use std::path::PathBuf;
use std::time::Duration;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use countersign::{
    Algorithm, AppHmacForm, Layout, Material, NonceForm, Scheme, SharedSecret, Timestamp, TimestampUnit,
};
use countersign_store::Registry;
use countersign_store::registry::{Error, KeyAdd, Refused};

pub(crate) struct Place {
    pub(crate) dir: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.data().join("registry.db")
    }

    /// A handle of its own, as another process would have it.
    pub(crate) async fn open(&self) -> Registry {
        Registry::open(&format!("sqlite:{}", self.file().display()), &self.data()).await.unwrap()
    }

    /// With the partners `alice` and `bob`.
    pub(crate) async fn with_partners(&self) -> Registry {
        let registry = self.open().await;
        registry.add_partner("alice", now()).await.unwrap();
        registry.add_partner("bob", now()).await.unwrap();
        registry
    }
}

pub(crate) fn now() -> Timestamp {
    Timestamp::from_secs(1_800_000_000)
}

pub(crate) fn later(seconds: u64) -> Timestamp {
    now().after(Duration::from_secs(seconds))
}

pub(crate) fn ed25519() -> Material {
    let pair = Ed25519KeyPair::generate().unwrap();
    let der: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    Material::Public(der.as_ref().to_vec())
}

pub(crate) fn p256() -> Vec<u8> {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let der: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    der.as_ref().to_vec()
}

pub(crate) fn rsa() -> Vec<u8> {
    let pair = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
    let der: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    der.as_ref().to_vec()
}

pub(crate) fn secret(text: &str) -> Material {
    Material::Shared(SharedSecret::from_file(text.as_bytes().to_vec()))
}

/// An Ed25519 key for `http-message-signatures`.
pub(crate) fn key(partner: &str, id: &str) -> KeyAdd {
    KeyAdd {
        partner: partner.to_owned(),
        id: id.to_owned(),
        scheme: Scheme::HttpMessageSignatures,
        algorithm: Algorithm::Ed25519,
        material: ed25519(),
        not_before: None,
        not_after: None,
        pending: false,
        form: None,
        shared: false,
        allow_test_keys: false,
    }
}

/// An `app-hmac` key.
pub(crate) fn app_key(partner: &str, id: &str, text: &str) -> KeyAdd {
    KeyAdd {
        scheme: Scheme::AppHmac,
        algorithm: Algorithm::HmacSha256,
        material: secret(text),
        form: Some(AppHmacForm { layout: Layout::MethodFirst, unit: TimestampUnit::Seconds, nonce: NonceForm::Hex8 }),
        ..key(partner, id)
    }
}

/// An RSA key for `scheme`.
pub(crate) fn rsa_key(partner: &str, id: &str, scheme: Scheme, algorithm: Algorithm, spki: &[u8]) -> KeyAdd {
    KeyAdd { scheme, algorithm, material: Material::Public(spki.to_vec()), ..key(partner, id) }
}

/// What the operator did wrong.
pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T, Error>) -> Refused {
    match result {
        Err(Error::Refused(refused)) => refused,
        other => panic!("not refused: {other:?}"),
    }
}

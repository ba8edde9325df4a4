use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign::{
    Algorithm, AppHmacForm, KeyRecord, KeyState, Keys, Layout, Material, NonceForm, Openers, OpeningKey, Scheme,
    SharedSecret, SigningKey, TimestampUnit, VerifyingKey,
};
use serde_json::Value;

use crate::exit::Failure;

/// The keys of a folder of vectors.
pub(super) struct Keyring {
    /// What verifies.
    pub(super) keys: Keys,
    /// What opens sealed fields: the entries with `"use": "seal"`.
    pub(super) openers: Openers,
}

pub(super) fn read(file: &Path, text: &str) -> Result<Keyring, Failure> {
    let fault = |what: String| Failure::usage(format!("{}: {what}", file.display()));
    let document: Value = serde_json::from_str(text).map_err(|error| fault(error.to_string()))?;
    let list = document.as_array().ok_or_else(|| fault("not an array of keys".into()))?;
    let (mut keys, mut openers) = (Vec::new(), Vec::new());
    for entry in list {
        let id = entry["id"].as_str().unwrap_or_default();
        let bad = |what: String| fault(format!("key {id:?}: {what}"));
        if entry["use"] == "seal" {
            openers.push(opener(entry).map_err(bad)?);
        } else {
            keys.push(key(entry).map_err(bad)?);
        }
    }
    Ok(Keyring { keys: Keys::new(keys), openers: Openers::new(openers) })
}

fn opener(entry: &Value) -> Result<OpeningKey, String> {
    let private = file(&entry["private_key"]).ok_or("no private_key")?;
    OpeningKey::from_file(&private).map_err(|fault| fault.to_string())
}

fn key(entry: &Value) -> Result<VerifyingKey, String> {
    let text = |name: &str| entry[name].as_str();
    let need = |name: &str| text(name).ok_or(format!("no {name}"));
    let scheme: Scheme = need("scheme")?.parse().map_err(|_| "unknown scheme")?;
    let algorithm: Algorithm = need("algorithm")?.parse().map_err(|_| "unknown algorithm")?;
    let state = text("state").unwrap_or("active");
    let record = KeyRecord {
        partner: text("partner").unwrap_or("partner").to_owned(),
        partner_active: state != "suspended",
        id: need("id")?.to_owned(),
        version: entry["version"].as_u64().and_then(|version| version.try_into().ok()).unwrap_or(1),
        scheme,
        algorithm,
        state: if state == "suspended" { KeyState::Active } else { state.parse().map_err(|_| "unknown state")? },
        not_before: entry["not_before"].as_i64().map(countersign::Timestamp::from_secs),
        not_after: entry["not_after"].as_i64().map(countersign::Timestamp::from_secs),
        form: (scheme == Scheme::AppHmac).then(|| form(entry)),
        material: material(entry, scheme, algorithm)?,
    };
    VerifyingKey::new(record).map_err(|fault| fault.to_string())
}

/// `public_key` or `private_key`, or `secret` in base64 or as an `oct` JWK.
fn material(entry: &Value, scheme: Scheme, algorithm: Algorithm) -> Result<Material, String> {
    let said = |fault: countersign::InvalidKey| fault.to_string();
    if let Some(public) = file(&entry["public_key"]) {
        return Material::from_public_file(&public, Some(algorithm)).map_err(said);
    }
    match &entry["secret"] {
        Value::String(secret) => {
            let secret = STANDARD.decode(secret).map_err(|_| "the secret is not base64")?;
            return Ok(Material::Shared(SharedSecret::new(secret)));
        }
        jwk @ Value::Object(_) => return Material::from_secret_file(jwk.to_string().as_bytes()).map_err(said),
        _ => {}
    }
    let private = file(&entry["private_key"]).ok_or("neither public_key nor secret nor private_key")?;
    let key = SigningKey::from_file(&private, scheme, Some(algorithm)).map_err(said)?;
    let public = key.public_pem().ok_or("the private key has no public half")?;
    Material::from_public_pem(public.as_bytes()).map_err(said)
}

/// A key file inside JSON: PEM or JWK as text, a JWK as the object that it is, DER in base64.
fn file(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::String(text) => Some(STANDARD.decode(text).unwrap_or_else(|_| text.clone().into_bytes())),
        Value::Object(_) => Some(value.to_string().into_bytes()),
        _ => None,
    }
}

/// How an `app-hmac` key's messages are laid out; the first of each where nothing is said.
fn form(entry: &Value) -> AppHmacForm {
    let is = |name: &str, value: &str| entry[name].as_str() == Some(value);
    AppHmacForm {
        layout: if is("layout", "payload-first") { Layout::PayloadFirst } else { Layout::MethodFirst },
        unit: if is("timestamp_unit", "milliseconds") { TimestampUnit::Milliseconds } else { TimestampUnit::Seconds },
        nonce: match entry["nonce_form"].as_str() {
            Some("hex32") => NonceForm::Hex32,
            Some("uuid") => NonceForm::Uuid,
            _ => NonceForm::Hex8,
        },
    }
}

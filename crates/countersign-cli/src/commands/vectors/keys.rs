use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign::{
    AppHmacForm, KeyRecord, KeyState, Keys, Layout, Material, NonceForm, Scheme, SharedSecret, SigningKey,
    TimestampUnit, VerifyingKey,
};
use serde_json::Value;

use crate::exit::Failure;

/// The keys of a folder of vectors.
pub(super) fn read(file: &Path, text: &str) -> Result<Keys, Failure> {
    let fault = |what: String| Failure::usage(format!("{}: {what}", file.display()));
    let document: Value = serde_json::from_str(text).map_err(|error| fault(error.to_string()))?;
    let list = document.as_array().ok_or_else(|| fault("not an array of keys".into()))?;
    let keys = list.iter().map(|entry| {
        let id = entry["id"].as_str().unwrap_or_default();
        key(entry).map_err(|what| fault(format!("key {id:?}: {what}")))
    });
    Ok(Keys::new(keys.collect::<Result<Vec<_>, _>>()?))
}

fn key(entry: &Value) -> Result<VerifyingKey, String> {
    let text = |name: &str| entry[name].as_str();
    let need = |name: &str| text(name).ok_or(format!("no {name}"));
    let scheme: Scheme = need("scheme")?.parse().map_err(|_| "unknown scheme")?;
    let algorithm = need("algorithm")?.parse().map_err(|_| "unknown algorithm")?;
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
        material: material(entry, scheme)?,
    };
    VerifyingKey::new(record).map_err(|fault| fault.to_string())
}

/// `public_key` or `private_key` in PEM, or `secret` in base64.
fn material(entry: &Value, scheme: Scheme) -> Result<Material, String> {
    let text = |name: &str| entry[name].as_str();
    if let Some(pem) = text("public_key") {
        return Material::from_public_pem(pem.as_bytes()).map_err(|fault| fault.to_string());
    }
    if let Some(secret) = text("secret") {
        return Ok(Material::Shared(SharedSecret::new(
            STANDARD.decode(secret).map_err(|_| "the secret is not base64")?,
        )));
    }
    let pem = text("private_key").ok_or("neither public_key nor secret nor private_key")?;
    let key = SigningKey::from_file(pem.as_bytes(), scheme, None).map_err(|fault| fault.to_string())?;
    let public = key.public_pem().ok_or("the private key has no public half")?;
    Material::from_public_pem(public.as_bytes()).map_err(|fault| fault.to_string())
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

//! A key as it is shown: never its secret.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use countersign::{AppHmacForm, Layout, Material, NonceForm, Timestamp, TimestampUnit};
use countersign_store::registry::KeyEntry;
use serde_json::{Value, json};

use crate::output::{self, say};

/// One line per version.
pub(crate) fn table(keys: &[KeyEntry], now: Timestamp) {
    let row = |key: &KeyEntry| {
        vec![
            key.id.clone(),
            key.version.to_string(),
            key.partner.clone(),
            key.scheme.to_string(),
            key.algorithm.to_string(),
            standing(key, now),
            key.not_after.map_or_else(|| "-".to_owned(), day),
            key.last_used.map_or_else(|| "-".to_owned(), day),
        ]
    };
    let head = ["ID", "VERSION", "PARTNER", "SCHEME", "ALGORITHM", "STATE", "NOT AFTER", "LAST USED"];
    output::table(&head, &keys.iter().map(row).collect::<Vec<_>>());
}

/// Says what is wrong with a key that is not among the others.
pub(crate) fn broken(what: &str) {
    output::warning(format!("a key is not as it should be: {what}"), &[]);
}

/// Everything that is known of one version.
pub(crate) fn whole(key: &KeyEntry, now: Timestamp) {
    say!("key          {}, version {}", key.id, key.version);
    say!("partner      {}{}", key.partner, if key.partner_active { "" } else { " (suspended)" });
    say!("scheme       {}", key.scheme);
    say!("algorithm    {}", key.algorithm);
    if let Some(form) = key.form {
        let [layout, unit, nonce] = words(form);
        say!("form         {layout}, {unit}, {nonce}");
    }
    say!("state        {}", standing(key, now));
    say!("fingerprint  {}{}", fingerprint(key), if key.shared { ", shared" } else { "" });
    if let Some(thumbprint) = thumbprint(key) {
        say!("thumbprint   {thumbprint}");
    }
    let times =
        [("not before", key.not_before), ("not after", key.not_after), ("ended", key.ended), ("used", key.last_used)];
    say!("added        {}", key.added);
    for (name, time) in times {
        if let Some(time) = time {
            say!("{name:<12} {time}");
        }
    }
    if let Some(reason) = &key.reason {
        say!("reason       {reason}");
    }
}

pub(crate) fn object(key: &KeyEntry, now: Timestamp) -> Value {
    let time = |time: Option<Timestamp>| time.map(|time| time.to_string());
    json!({
        "id": key.id, "version": key.version, "partner": key.partner, "partner_active": key.partner_active,
        "scheme": key.scheme.as_str(), "algorithm": key.algorithm.as_str(), "state": key.state.as_str(),
        "usable": key.usable(now), "fingerprint": fingerprint(key), "thumbprint": thumbprint(key),
        "shared": key.shared,
        "form": key.form.map(|form| {
            let [layout, unit, nonce] = words(form);
            json!({ "layout": layout, "timestamp_unit": unit, "nonce_form": nonce })
        }),
        "not_before": time(key.not_before), "not_after": time(key.not_after), "added": key.added.to_string(),
        "ended": time(key.ended), "reason": key.reason, "last_used": time(key.last_used),
    })
}

/// As `ssh-keygen -l` has it.
pub(crate) fn fingerprint(key: &KeyEntry) -> String {
    format!("SHA256:{}", STANDARD_NO_PAD.encode(key.fingerprint))
}

/// What RFC 7638 calls the key by; none for a shared secret.
fn thumbprint(key: &KeyEntry) -> Option<String> {
    Material::Public(key.public_key.clone()?).thumbprint()
}

/// The state, and what beside it keeps the key from verifying.
fn standing(key: &KeyEntry, now: Timestamp) -> String {
    let verifying = matches!(key.state, countersign::KeyState::Active | countersign::KeyState::Retiring);
    let but = match () {
        () if !verifying => "",
        () if !key.partner_active => ", partner suspended",
        () if key.not_before.is_some_and(|from| now < from) => ", not yet valid",
        () if key.not_after.is_some_and(|until| until <= now) => ", expired",
        () => "",
    };
    format!("{}{but}", key.state)
}

pub(crate) fn day(time: Timestamp) -> String {
    time.to_string().chars().take(10).collect()
}

fn words(form: AppHmacForm) -> [&'static str; 3] {
    [
        match form.layout {
            Layout::MethodFirst => "method-first",
            Layout::PayloadFirst => "payload-first",
        },
        match form.unit {
            TimestampUnit::Seconds => "seconds",
            TimestampUnit::Milliseconds => "milliseconds",
        },
        match form.nonce {
            NonceForm::Hex8 => "hex8",
            NonceForm::Hex32 => "hex32",
            NonceForm::Uuid => "uuid",
        },
    ]
}

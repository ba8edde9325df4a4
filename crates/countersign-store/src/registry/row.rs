use countersign::{AppHmacForm, KeyRecord, KeyState, Layout, Material, NonceForm, Timestamp, TimestampUnit};
use sqlx::Row;
use sqlx::any::AnyRow;

use super::KeyEntry;
use crate::secrets::{Place, SealingKey};

/// Keys with their partners and last uses, newest versions first. An empty `$1` (partner), `$2` (id) or `$3` (scheme)
/// stands for all of them: none of the three is ever empty.
pub(crate) const SELECT_KEYS: &str = "SELECT k.scheme, k.id, k.version, k.partner, p.state AS partner_state, \
    k.algorithm, k.state, k.not_before, k.not_after, k.form, k.symmetric, k.material, k.fingerprint, k.shared, \
    k.added, k.ended, k.reason, u.at AS last_used \
    FROM partner_key k JOIN partner p ON p.name = k.partner \
    LEFT JOIN last_use u ON u.scheme = k.scheme AND u.id = k.id AND u.version = k.version \
    WHERE ($1 = '' OR k.partner = $1) AND ($2 = '' OR k.id = $2) AND ($3 = '' OR k.scheme = $3) \
    ORDER BY k.partner, k.scheme, k.id, k.version DESC";

/// What a row says, without its material. An error is words for the operator, beginning with the row's name.
pub(super) fn entry_of(row: &AnyRow) -> Result<KeyEntry, String> {
    let name = name_of(row);
    let broken = |what: &str| format!("{name}: {what}");
    let words = || -> Result<_, sqlx::Error> {
        let scheme: String = row.try_get("scheme")?;
        let algorithm: String = row.try_get("algorithm")?;
        let state: String = row.try_get("state")?;
        let form: Option<String> = row.try_get("form")?;
        Ok((scheme, algorithm, state, form))
    };
    let (scheme, algorithm, state, form) = words().map_err(|error| broken(&error.to_string()))?;
    let form = form.map(|text| parse_form(&text).ok_or_else(|| broken("unknown form"))).transpose()?;
    let read = || -> Result<KeyEntry, sqlx::Error> {
        let unknown = |error| sqlx::Error::Decode(Box::new(error));
        let time =
            |column: &str| Ok::<_, sqlx::Error>(row.try_get::<Option<i64>, _>(column)?.map(Timestamp::from_millis));
        let symmetric = row.try_get::<i64, _>("symmetric")? != 0;
        Ok(KeyEntry {
            partner: row.try_get("partner")?,
            partner_active: row.try_get::<String, _>("partner_state")? == "active",
            id: row.try_get("id")?,
            version: u32::try_from(row.try_get::<i64, _>("version")?)
                .map_err(|error| sqlx::Error::Decode(error.into()))?,
            scheme: scheme.parse().map_err(unknown)?,
            algorithm: algorithm.parse().map_err(unknown)?,
            state: state.parse::<KeyState>().map_err(unknown)?,
            not_before: time("not_before")?,
            not_after: time("not_after")?,
            form,
            public_key: if symmetric { None } else { Some(row.try_get("material")?) },
            fingerprint: row
                .try_get::<Vec<u8>, _>("fingerprint")?
                .try_into()
                .map_err(|_| sqlx::Error::Decode("a fingerprint has 32 bytes".into()))?,
            shared: row.try_get::<i64, _>("shared")? != 0,
            added: Timestamp::from_millis(row.try_get("added")?),
            ended: time("ended")?,
            reason: row.try_get("reason")?,
            last_used: time("last_used")?,
        })
    };
    read().map_err(|error| broken(&error.to_string()))
}

/// The key that a row stands for; a secret is opened with `sealing`.
pub(crate) fn record_of(row: &AnyRow, sealing: Option<&SealingKey>) -> Result<KeyRecord, String> {
    let entry = entry_of(row)?;
    let material = material_of(row, &entry, sealing).map_err(|what| format!("{}: {what}", name_of(row)))?;
    Ok(KeyRecord {
        partner: entry.partner,
        partner_active: entry.partner_active,
        id: entry.id,
        version: entry.version,
        scheme: entry.scheme,
        algorithm: entry.algorithm,
        state: entry.state,
        not_before: entry.not_before,
        not_after: entry.not_after,
        form: entry.form,
        material,
    })
}

fn material_of(row: &AnyRow, entry: &KeyEntry, sealing: Option<&SealingKey>) -> Result<Material, String> {
    let material = if let Some(spki) = &entry.public_key {
        Material::Public(spki.clone())
    } else {
        let sealed: Vec<u8> = row.try_get("material").map_err(|error| error.to_string())?;
        let sealing = sealing.ok_or("the sealing key of shared secrets is not there")?;
        let place = Place { scheme: entry.scheme, id: &entry.id, version: entry.version, partner: &entry.partner };
        return sealing.open(place, &sealed).map(Material::Shared).map_err(|error| error.to_string());
    };
    // Not a seal, since whoever writes rows can write this too: it notices an edit by hand and a rotten byte.
    if material.fingerprint() == entry.fingerprint {
        Ok(material)
    } else {
        Err("the public key is not the one that was added".to_owned())
    }
}

pub(super) fn form_text(form: AppHmacForm) -> String {
    let layout = match form.layout {
        Layout::MethodFirst => "method-first",
        Layout::PayloadFirst => "payload-first",
    };
    let unit = match form.unit {
        TimestampUnit::Seconds => "seconds",
        TimestampUnit::Milliseconds => "milliseconds",
    };
    let nonce = match form.nonce {
        NonceForm::Hex8 => "hex8",
        NonceForm::Hex32 => "hex32",
        NonceForm::Uuid => "uuid",
    };
    format!("{layout} {unit} {nonce}")
}

fn parse_form(text: &str) -> Option<AppHmacForm> {
    let mut words = text.split(' ');
    let layout = match words.next()? {
        "method-first" => Layout::MethodFirst,
        "payload-first" => Layout::PayloadFirst,
        _ => return None,
    };
    let unit = match words.next()? {
        "seconds" => TimestampUnit::Seconds,
        "milliseconds" => TimestampUnit::Milliseconds,
        _ => return None,
    };
    let nonce = match words.next()? {
        "hex8" => NonceForm::Hex8,
        "hex32" => NonceForm::Hex32,
        "uuid" => NonceForm::Uuid,
        _ => return None,
    };
    words.next().is_none().then_some(AppHmacForm { layout, unit, nonce })
}

/// `scheme id version` as far as they can be read.
fn name_of(row: &AnyRow) -> String {
    let scheme: String = row.try_get("scheme").unwrap_or_default();
    let id: String = row.try_get("id").unwrap_or_default();
    let version: i64 = row.try_get("version").unwrap_or_default();
    format!("{scheme} key {id:?} version {version}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_comes_back() {
        for layout in [Layout::MethodFirst, Layout::PayloadFirst] {
            for unit in [TimestampUnit::Seconds, TimestampUnit::Milliseconds] {
                for nonce in [NonceForm::Hex8, NonceForm::Hex32, NonceForm::Uuid] {
                    let form = AppHmacForm { layout, unit, nonce };
                    assert_eq!(parse_form(&form_text(form)), Some(form));
                }
            }
        }
        for text in ["", "method-first seconds", "method-first seconds hex8 x", "Method-first seconds hex8"] {
            assert_eq!(parse_form(text), None, "{text}");
        }
    }
}

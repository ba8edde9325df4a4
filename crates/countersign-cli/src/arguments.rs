//! Values of arguments, for clap.

use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use countersign::{Algorithm, Origin, Scheme};

use crate::moment;

/// A scheme by its name.
pub(crate) fn scheme() -> impl TypedValueParser<Value = Scheme> {
    PossibleValuesParser::new(Scheme::ALL.map(Scheme::as_str)).try_map(|name| name.parse::<Scheme>())
}

/// A signature algorithm by its name.
pub(crate) fn algorithm() -> impl TypedValueParser<Value = Algorithm> {
    PossibleValuesParser::new(Algorithm::ALL.map(Algorithm::as_str)).try_map(|name| name.parse::<Algorithm>())
}

/// `https://api.example.com`.
pub(crate) fn origin(text: &str) -> Result<Origin, String> {
    Origin::parse(text).map_err(|_| "write it as https://api.example.com or http://127.0.0.1:8080".to_owned())
}

/// What a signature covers.
#[derive(Clone, Debug)]
pub(crate) struct Cover(pub(crate) Vec<String>);

/// Components: quoted as in a signature input or bare, with blanks or commas between, each with its parameters (`x-total;tr`). At least one: a signature over
/// nothing would say nothing of the message, and whoever holds it could put it on any other.
pub(crate) fn cover(text: &str) -> Result<Cover, String> {
    let identifiers = text.split([' ', ',']).map(|identifier| match identifier.split_once(';') {
        Some((name, parameters)) => format!("\"{}\";{parameters}", name.trim_matches('"').to_ascii_lowercase()),
        None => identifier.trim_matches('"').to_ascii_lowercase(),
    });
    let names: Vec<String> = identifiers.filter(|identifier| !identifier.is_empty()).collect();
    if names.is_empty() { Err("it names nothing; leave it out for the usual".to_owned()) } else { Ok(Cover(names)) }
}

/// How long a signature holds. Below a second it would be over when it is made: `expires` is in whole seconds.
pub(crate) fn expiry(text: &str) -> Result<Duration, String> {
    let after = moment::duration(text)?;
    if after < Duration::from_secs(1) {
        Err("the signature would expire as it is made; 60s is usual".to_owned())
    } else {
        Ok(after)
    }
}

/// A key's id as it can stand on the wire. The older schemes take less, and say so when they sign.
pub(crate) fn key_id(text: &str) -> Result<String, String> {
    let printable = text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    if printable && (1..=256).contains(&text.len()) {
        Ok(text.to_owned())
    } else {
        Err("an id has 1 to 256 printable ASCII characters".to_owned())
    }
}

/// Names of components: quoted as in a signature input or bare, with blanks or commas between.
pub(crate) fn components(text: &str) -> Vec<String> {
    let names = text.split([' ', ',']).map(|name| name.trim_matches('"')).filter(|name| !name.is_empty());
    names.map(str::to_ascii_lowercase).collect()
}

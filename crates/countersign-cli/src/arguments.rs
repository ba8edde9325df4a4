//! Values of arguments, for clap.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use countersign::{Algorithm, Origin, Scheme};

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

/// Names of components: quoted as in a signature input or bare, with blanks or commas between.
pub(crate) fn components(text: &str) -> Vec<String> {
    let names = text.split([' ', ',']).map(|name| name.trim_matches('"')).filter(|name| !name.is_empty());
    names.map(str::to_ascii_lowercase).collect()
}

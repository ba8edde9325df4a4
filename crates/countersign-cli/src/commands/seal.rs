use std::path::PathBuf;
use std::time::Duration;

use countersign::{AbsentField, FieldSealer, Pointer};

use crate::exit::{Exit, Failure};
use crate::{file, moment, output, random, stdin};

/// Encrypts fields of the JSON document on stdin, for one recipient
///
/// Each field becomes a string: a JWE that opens at this place only, and only where it came from this partner. The rest of the
/// document stays as it is. Seal before you sign.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A field by its JSON pointer, such as /card/number; * stands for every element of an array
    #[arg(long = "field", value_name = "POINTER", required = true)]
    fields: Vec<Pointer>,
    /// The recipient's public key (PEM, DER or JWK), RSA or EC on P-256; or a JWK set, whose first key is taken
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// Your name as the recipient knows it
    #[arg(long, value_name = "NAME")]
    partner: String,
    /// How long the fields open, e.g. 10m; or never, for ones that always do
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = lifetime)]
    expires: Lifetime,
}

/// `None` for ever.
#[derive(Clone, Copy)]
struct Lifetime(Option<Duration>);

fn lifetime(text: &str) -> Result<Lifetime, String> {
    if text == "never" { Ok(Lifetime(None)) } else { moment::duration(text).map(|time| Lifetime(Some(time))) }
}

pub(crate) fn run(args: &Args) -> Result<Exit, Failure> {
    let to = file::sealing_key(&args.to)?;
    let document = stdin::read("JSON document")?;
    let expires = args.expires.0.map(|time| moment::now().after(time));
    let sealer = FieldSealer { fields: &args.fields, to: &to, partner: &args.partner, expires };
    let sealed = sealer.seal(&document, &mut random::fill).map_err(|fault| match fault {
        countersign::SealError::Unavailable(fault) => fault.into(),
        fault => Failure::usage(fault),
    })?;
    // A field that is spelled wrong would go out in the clear, and nobody would see it.
    if let Some(AbsentField { field, place }) = sealed.absent.first() {
        return Err(Failure::usage(format!("the document has no {place}, and nothing was written"))
            .hint(format!("without --field {field}, if it may be absent")));
    }
    output::bytes(&sealed.document)?;
    Ok(Exit::FINE)
}

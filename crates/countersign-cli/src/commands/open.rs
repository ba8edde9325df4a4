use std::path::PathBuf;

use countersign::{Openers, OpeningKey, Pointer};

use crate::exit::{Exit, Failure};
use crate::moment::{self, Moment};
use crate::{file, output, stdin};

/// Decrypts sealed fields of the JSON document on stdin
///
/// As a gateway does it for its API: a field that can't be opened is an error that names it and nothing else, one that is not
/// there is none.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A private key to open with (PEM, DER or JWK); several for a key and those before it
    #[arg(long = "key", value_name = "FILE", required = true)]
    keys: Vec<PathBuf>,
    /// A field by its JSON pointer, such as /card/number; * stands for every element of an array
    #[arg(long = "field", value_name = "POINTER", required = true)]
    fields: Vec<Pointer>,
    /// The partner who sealed
    #[arg(long, value_name = "NAME")]
    partner: String,
    /// Open also what names neither place nor partner, as foreign tools write it
    #[arg(long)]
    unbound: bool,
    /// Judge as if it were this time [default: now]
    #[arg(long, value_name = "T", value_parser = Moment::parse)]
    now: Option<Moment>,
}

pub(crate) fn run(args: &Args) -> Result<Exit, Failure> {
    let keys: Vec<OpeningKey> = args.keys.iter().map(|path| file::opening_key(path)).collect::<Result<_, _>>()?;
    let now = args.now.map_or_else(moment::now, |now| now.resolve(moment::now()));
    let document = stdin::read("JSON document")?;
    let opened = Openers::new(keys).open(&document, &args.fields, &args.partner, args.unbound, now)?;
    output::bytes(&opened)?;
    Ok(Exit::FINE)
}

use std::path::PathBuf;
use std::time::Duration;

use countersign::{Algorithm, Draft, Form, Origin, Scheme};

use super::wait;
use crate::app_hmac_form::FormFlags;
use crate::arguments::{self, Cover};
use crate::exit::{Exit, Failure};
use crate::message::Message;
use crate::moment::{self, Moment};
use crate::{file, output, random};

/// Signs the raw HTTP request on stdin
///
/// It covers @method @authority @path @query, content-type if there is one and content-digest with a body. Lines of the head
/// may end in LF; what is written has CRLF, and a Content-Length where there is a body. The other schemes sign what their
/// pages say; under trusted-site the body becomes the payload of a signed one.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The private key (PEM, DER or JWK), or a shared secret as it stands
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The key's id as it stands on the wire
    #[arg(long, value_name = "ID", value_parser = arguments::key_id)]
    id: String,
    /// How the message carries its signature
    #[arg(long, value_name = "S", default_value = "http-message-signatures", value_parser = arguments::scheme())]
    scheme: Scheme,
    /// The algorithm, where the key has several [default: the scheme's for this kind of key]
    #[arg(long, value_name = "A", value_parser = arguments::algorithm())]
    algorithm: Option<Algorithm>,
    #[command(flatten)]
    form: FormFlags,
    /// Print what is signed, byte for byte, to stderr
    /// and one LF behind it
    #[arg(long)]
    show_base: bool,
    /// What the signature covers instead of the usual, e.g. "@method @target-uri content-digest"
    #[arg(long, value_name = "COMPONENTS", value_parser = arguments::cover)]
    cover: Option<Cover>,
    /// Let the signature expire, e.g. after 60s
    #[arg(long, value_name = "DURATION", value_parser = arguments::expiry)]
    expires: Option<Duration>,
    /// The application that the signature is for
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
    /// A nonce of one's own instead of a random one
    #[arg(long, value_name = "NONCE")]
    nonce: Option<String>,
    /// Sign as if made at this time [default: now]
    #[arg(long, value_name = "T", value_parser = Moment::parse)]
    created: Option<Moment>,
    /// What @scheme and @authority mean to the receiver [default: Host over https, over http on loopback]
    #[arg(long, value_name = "URL", value_parser = arguments::origin)]
    origin: Option<Origin>,
}

pub(crate) fn run(args: Args) -> Result<Exit, Failure> {
    let app_hmac = args.form.form(args.scheme)?;
    if let (Some(form), Some(nonce)) = (app_hmac, &args.nonce)
        && !form.nonce.fits(nonce)
    {
        return Err(Failure::usage("--nonce is not in the form that this key's nonces have")
            .hint("8 or 32 hexadecimal digits or a UUID in lower case, as --nonce-form says; or leave --nonce out"));
    }
    let key = file::signing_key(&args.key, args.scheme, args.algorithm)?;
    file::warn_of_mode(&args.key);
    let mut message = Message::parse(&Message::read_stdin()?)?;
    let origin = match args.origin {
        Some(origin) => origin,
        None => message.origin()?,
    };
    let form = Form {
        cover: args.cover.map(|cover| cover.0),
        expires_after: args.expires,
        tag: args.tag,
        app_hmac,
        ..Form::new(args.scheme, &args.id)
    };
    let mut draft = Draft::new(message.head(origin)?, form);
    draft.push(message.body());
    draft.trailers(message.trailers());
    let now = moment::now();
    let created = args.created.map_or(now, |created| created.resolve(now));
    let nonce = match args.nonce {
        Some(nonce) => nonce,
        None => random::nonce()?,
    };
    let unsigned = draft.finish(&nonce, created)?;
    let signed = wait(unsigned.sign(&key))??;
    if args.show_base {
        output::diagnostic_bytes(signed.signed_bytes());
    }
    message.sign(&signed);
    output::bytes(&message.write())?;
    Ok(Exit::FINE)
}

//! `countersign curl`.

mod form;
mod refused;
mod request;
mod show;
mod tamper;
mod typed;

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use countersign::{Algorithm, Draft, Form, Head, Scheme, Signed, Signer, SigningKey};
use countersign_proxy::{Client, ClientError, Limits};
use http::Method;

use super::wait;
use crate::app_hmac_form::FormFlags;
use crate::arguments::Cover;
use crate::exit::{Exit, Failure};
use crate::{arguments, file, moment, output, random};
use refused::Refused;
use request::{Body, Outgoing, Url};
use show::Received;

/// Sends one signed request, and says what came of it
///
/// The body of the answer goes to stdout. Where the request is refused, stderr says why and what to do, and the exit code is
/// that of the refusal; what the API behind answers is no refusal, whatever its status. A body that is a JSON object or array
/// is sent as application/json, any other as curl does, unless a header says otherwise. Signed is what `countersign sign`
/// would sign.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
#[allow(clippy::struct_excessive_bools)] // four flags that have nothing to do with each other
pub(crate) struct Args {
    /// The private key (PEM, DER or JWK), or a shared secret as it stands
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The key's id as it stands on the wire
    #[arg(long, value_name = "ID", value_parser = arguments::key_id)]
    id: String,
    /// Where to: http:// or https://, a host, a path, a query
    #[arg(value_name = "URL", value_parser = Url::parse)]
    url: Url,
    /// The method [default: GET, with a body POST]
    #[arg(short = 'X', long = "request", value_name = "METHOD")]
    method: Option<Method>,
    /// A header; `Name:` leaves one of ours out; @FILE reads them from a file, one per line, which keeps secrets out of the
    /// command line
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    header: Vec<String>,
    /// The body; @FILE reads it from a file and drops line ends, as curl does, @- reads stdin. Given several times, the parts
    /// are joined by &
    #[arg(short = 'd', long = "data", value_name = "BODY", allow_hyphen_values = true)]
    data: Vec<String>,
    /// The body; @FILE reads it from a file as it stands
    #[arg(long, value_name = "BODY", conflicts_with = "data", allow_hyphen_values = true)]
    data_binary: Option<String>,
    /// A part of a form (multipart/form-data): name=text, name=@FILE for a file, name=<FILE for a text out of one; behind a
    /// file ;type=a/b and ;filename=NAME
    #[arg(short = 'F', long = "form", value_name = "NAME=CONTENT", conflicts_with_all = ["data", "data_binary"])]
    part: Vec<String>,
    /// How the message carries its signature
    #[arg(long, value_name = "S", default_value = "http-message-signatures", value_parser = arguments::scheme())]
    scheme: Scheme,
    /// The algorithm, where the key has several [default: the scheme's for this kind of key]
    #[arg(long, value_name = "A", value_parser = arguments::algorithm())]
    algorithm: Option<Algorithm>,
    #[command(flatten)]
    form: FormFlags,
    /// What the signature covers instead of the usual, e.g. "@method @target-uri content-digest"
    #[arg(long, value_name = "COMPONENTS", value_parser = arguments::cover)]
    cover: Option<Cover>,
    /// The application that the signature is for
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
    /// What is shown over TLS if a certificate is asked for: one PEM file with chain and private key
    #[arg(long, value_name = "FILE")]
    client_certificate: Option<PathBuf>,
    /// Spoil the message on purpose, to see it refused
    #[arg(long, value_name = "WHAT")]
    tamper: Option<Tamper>,
    /// How long to wait for the answer, e.g. 10s
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = moment::duration)]
    max_time: Duration,
    /// Print the head of the answer, too
    #[arg(short = 'i', long)]
    include: bool,
    /// Say on stderr what is sent and what comes; the values of credentials are not shown
    #[arg(short = 'v', long)]
    verbose: bool,
    /// Print what is signed, byte for byte, to stderr
    #[arg(long)]
    show_base: bool,
    /// Print JSON: what was sent, what came, and the refusal
    #[arg(long, conflicts_with = "include")]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Tamper {
    /// The body is changed after it was signed
    Body,
    /// A header that the signature covers is changed
    Header,
    /// The same request is sent twice, and the second answer is shown
    Replay,
}

const EXAMPLES: &str = "\
Examples, with U=https://api.example.com/orders:
  countersign curl --key acme.key --id acme-1 \"$U?open=1\"
  countersign curl --key acme.key --id acme-1 $U -d @order.json
  countersign curl --key acme.key --id acme-1 $U -F file=@scan.pdf -F sender=acme
  countersign curl --key acme.key --id acme-1 $U -d '{\"n\": 1}' --tamper body";

pub(crate) fn run(args: Args) -> Result<Exit, Failure> {
    let form = Form {
        cover: args.cover.clone().map(|cover| cover.0),
        tag: args.tag.clone(),
        app_hmac: args.form.form(args.scheme)?,
        ..Form::new(args.scheme, &args.id)
    };
    let key = file::signing_key(&args.key, args.scheme, args.algorithm)?;
    file::warn_of_mode(&args.key);
    let body = Body::read(&args.data, args.data_binary.as_deref(), &args.part)?;
    let outgoing = Outgoing::new(&args.url, args.method.clone(), &args.header, body)?;
    wait(send(args, form, key, outgoing))?
}

async fn send(args: Args, form: Form, key: SigningKey, mut outgoing: Outgoing) -> Result<Exit, Failure> {
    let signed = sign(&outgoing, form, &key).await?;
    if args.show_base {
        output::diagnostic_bytes(signed.signed_bytes());
    }
    outgoing.take(&signed);
    let spoiled = match args.tamper {
        Some(Tamper::Body) => Some(tamper::body(&mut outgoing, args.scheme)?),
        Some(Tamper::Header) => Some(tamper::header(&mut outgoing, args.scheme, &signed)?),
        Some(Tamper::Replay) => Some("the same request is sent a second time".to_owned()),
        None => None,
    };
    if args.verbose {
        show::sent(&outgoing, &signed)?;
    }
    let limits = Limits { response_time: args.max_time, ..Limits::default() };
    let mut client = Client::new(&args.url.origin, limits).map_err(|error| unreachable(&args, &error))?;
    if let Some(path) = &args.client_certificate {
        client = client.showing(file::client_certificate(path)?);
    }
    if args.tamper == Some(Tamper::Replay) {
        let first = client.send(outgoing.request()?).await.map_err(|error| unreachable(&args, &error))?;
        let first = Received::whole(first).await.map_err(|error| unreachable(&args, &error))?;
        let code = Refused::read(&first).map_or_else(String::new, |refused| format!(", {}", refused.code));
        output::note!("first answer: {}{code}", first.status);
    }
    if let Some(spoiled) = &spoiled {
        output::note!("tampered: {spoiled}");
    }
    let answer = client.send(outgoing.request()?).await.map_err(|error| unreachable(&args, &error))?;
    let received = show::answer(&args, answer).await.map_err(|error| unreachable(&args, &error))?;
    let refused = Refused::read(&received);
    if args.json {
        output::json(&show::object(&outgoing, &signed, &received, refused.as_ref(), spoiled.as_deref())?);
    }
    if let Some(refused) = &refused {
        refused.explain(&args, &received, &outgoing, key.algorithm());
        return Ok(refused.code.into());
    }
    if spoiled.is_some() && !args.json {
        output::note!("not refused: whoever answered did not notice");
    }
    Ok(Exit::FINE)
}

async fn sign(outgoing: &Outgoing, form: Form, key: &SigningKey) -> Result<Signed, Failure> {
    let Outgoing { method, target, origin, headers, body } = outgoing;
    let head = Head::request(method.clone(), target, origin.clone(), headers.clone(), !body.is_empty())?;
    let mut draft = Draft::new(head, form);
    draft.push(body);
    let unsigned = draft.finish(&random::nonce()?, moment::now())?;
    Ok(unsigned.sign(key).await?)
}

fn unreachable(args: &Args, error: &ClientError) -> Failure {
    let text = error.to_string();
    // The reason begins with where it was to go, and may end with a number of the system.
    let reason =
        if text.starts_with("http") { text.split_once(": ").map_or(&*text, |(_, reason)| reason) } else { &text };
    let reason = reason.split(" (os error").next().unwrap_or(reason).replace("Connection", "connection");
    let origin = &args.url.origin;
    let failure = Failure::ours(format!("no answer from {}://{}: {reason}", origin.scheme(), origin.authority()));
    match error {
        ClientError::TimedOut(_) => failure.hint("it may be slow, or behind a firewall; --max-time waits longer"),
        _ if text.contains("CertificateRequired") || text.contains("certificate required") => {
            failure.hint("it asks who connects: --client-certificate FILE")
        }
        _ if text.contains("certificate") || text.contains("UnknownIssuer") => {
            failure.hint("SSL_CERT_FILE=ca.pem names an authority to trust in place of the system's")
        }
        _ if text.contains("InvalidContentType") => {
            failure.hint(format!("what listens there speaks no TLS: http://{}", origin.authority()))
        }
        _ if text.contains("refused") => {
            failure.hint("nothing listens there: countersign gateway says at its start where it does")
        }
        // Who is not let in without one sees no more than a connection that breaks off.
        _ if origin.scheme() == "https" && args.client_certificate.is_none() && text.contains("closed") => {
            failure.hint("it may ask who connects: --client-certificate FILE")
        }
        _ => failure.hint("check host and port of the URL, and whether it is http or https"),
    }
}

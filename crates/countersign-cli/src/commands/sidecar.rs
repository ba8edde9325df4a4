//! `countersign sidecar`.

mod key_file;
mod settings;

use std::path::PathBuf;
use std::sync::Arc;

use countersign::{Algorithm, Origin, Scheme, Unavailable};
use countersign_proxy::{Address, Allow, Clock, Sidecar, SidecarError, SidecarHandles};

use super::{interrupted, wait};
use crate::app_hmac_form::FormFlags;
use crate::exit::{Exit, Failure};
use crate::output::say;
use crate::{arguments, random};
use key_file::KeyFile;

/// Signs for a sender beside it that knows nothing of signatures, and forwards
///
/// The sender talks plain HTTP to the sidecar as if it were the API; every request goes on signed, with a nonce and a time of
/// its own. It runs until SIGTERM and writes one JSON line per request to stderr. What a [sidecar] section of a
/// configuration says, flags override.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A configuration with a [sidecar] section
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The private key or secret to sign with. When the file is replaced, the new key is taken
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// The key's id, as the other side knows it
    #[arg(long, value_name = "KEYID")]
    id: Option<String>,
    /// Where the sender reaches it: 127.0.0.1:8081, or unix:/run/sidecar.sock
    #[arg(long, value_name = "ADDR", value_parser = settings::address)]
    listen: Option<Address>,
    /// Where signed requests go. Its authority becomes their Host
    #[arg(long, value_name = "URL", value_parser = arguments::origin)]
    to: Option<Origin>,
    /// How it signs [default: http-message-signatures]
    #[arg(long, value_name = "S", value_parser = arguments::scheme())]
    scheme: Option<Scheme>,
    /// The algorithm, where the key has several [default: the scheme's for this kind of key]
    #[arg(long, value_name = "A", value_parser = arguments::algorithm())]
    algorithm: Option<Algorithm>,
    #[command(flatten)]
    form: FormFlags,
    /// What it signs: a path and all below it, after a method or none, e.g. "POST /orders" [default: everything]
    #[arg(long, value_name = "WHAT", value_parser = settings::allow)]
    allow: Vec<Allow>,
    /// The largest body that it signs, e.g. 10MiB
    #[arg(long, value_name = "SIZE", default_value = "10MiB", value_parser = settings::size)]
    max_body: u64,
    /// Let others than this machine borrow the signature
    #[arg(long)]
    allow_remote: bool,
}

pub(crate) fn run(args: Args) -> Result<Exit, Failure> {
    wait(serve(args))?
}

async fn serve(args: Args) -> Result<Exit, Failure> {
    let stop = interrupted()?;
    let settings::Understood { settings, key, algorithm } = settings::of(args)?;
    let (scheme, id, to) = (settings.form.scheme, settings.form.key_id.clone(), settings.to.clone());
    let key = KeyFile::read(&key, scheme, algorithm)?;
    let signer = key.clone();
    let handles = SidecarHandles {
        signer: Arc::new(move || signer.signer()),
        nonce: Arc::new(|| random::nonce().map_err(|failure| Unavailable::new("randomness", failure.message))),
        clock: Clock::system(),
        log: Box::new(std::io::stderr()),
    };
    let sidecar = Sidecar::bind(settings, handles).map_err(|fault| {
        let failure = Failure::usage(&fault);
        match fault {
            SidecarError::Listen(..) => {
                failure.hint("another process has this address: stop it, or give --listen another")
            }
            SidecarError::Settings(_) => {
                failure.hint("--listen 127.0.0.1:8081, or --allow-remote if the network is yours alone")
            }
            SidecarError::Log(_) => Failure::ours(fault),
        }
    })?;
    let scheme_of_address = if matches!(sidecar.address(), Address::Tcp(_)) { "http://" } else { "" };
    say!("sidecar  {scheme_of_address}{}", sidecar.address());
    say!("signs    as {id} by {scheme} with {}, for {}://{}", key.algorithm(), to.scheme(), to.authority());
    let watching = tokio::spawn(key.watch());
    sidecar.run(stop).await;
    watching.abort();
    say!("ended    in order");
    Ok(Exit::FINE)
}

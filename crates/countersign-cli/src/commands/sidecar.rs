//! `countersign sidecar`.

mod certificate_file;
mod file;
mod key_file;
mod recipient;
mod settings;
mod socket;

use std::path::PathBuf;
use std::sync::Arc;

use countersign::{Algorithm, Origin, Scheme, Unavailable};
use countersign_proxy::{Address, Allow, Clock, Sidecar, SidecarError, SidecarHandles};

use super::{interrupted, wait};
use crate::app_hmac_form::FormFlags;
use crate::config::Http;
use crate::exit::{self, Exit, Failure};
use crate::output::say;
use crate::supervisor::Supervisor;
use crate::{arguments, random};
use certificate_file::CertificateFile;
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
    #[arg(long, value_name = "KEYID", value_parser = arguments::key_id)]
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
    /// The largest body that it signs, e.g. 1MiB [default: 10MiB]
    #[arg(long, value_name = "SIZE", value_parser = settings::size)]
    max_body: Option<u64>,
    /// Which HTTP it speaks there: 1.1, 2, or auto for what both agree on over TLS [default: auto]
    #[arg(long, value_name = "VERSION", value_parser = settings::http)]
    http: Option<Http>,
    /// What it shows there if asked for a certificate: one PEM file with chain and private key, taken anew when replaced
    #[arg(long, value_name = "FILE")]
    client_certificate: Option<PathBuf>,
    /// The permissions of a Unix socket [default: 0600, with --socket-group 0660]
    #[arg(long, value_name = "MODE", value_parser = socket::mode)]
    socket_mode: Option<u32>,
    /// The group of a Unix socket, by name or number
    #[arg(long, value_name = "GROUP")]
    socket_group: Option<String>,
    /// Let others than this machine borrow the signature
    #[arg(long)]
    allow_remote: bool,
}

pub(crate) fn run(args: Args) -> Result<Exit, Failure> {
    wait(serve(args))?
}

async fn serve(args: Args) -> Result<Exit, Failure> {
    let stop = interrupted()?;
    let settings::Understood { mut settings, key, algorithm, client_certificate, seal } = settings::of(args)?;
    let (scheme, id, to) = (settings.form.scheme, settings.form.key_id.clone(), settings.to.clone());
    let key = KeyFile::read(&key, scheme, algorithm)?;
    let certificate = client_certificate.as_deref().map(CertificateFile::read).transpose()?;
    settings.client_certificate = certificate.as_ref().map(CertificateFile::present);
    let recipient = match seal {
        Some(seal) => Some((recipient::Recipient::find(&seal, &settings, certificate.as_ref()).await?, seal)),
        None => None,
    };
    settings.seal = recipient.as_ref().map(|(recipient, seal)| recipient.sealing(seal)).transpose()?;
    let handles = SidecarHandles {
        signer: key.signer(),
        nonce: Arc::new(|| random::nonce().map_err(|failure| Unavailable::new("randomness", failure.message))),
        clock: Clock::system(),
        log: Box::new(std::io::stderr()),
    };
    let sidecar = Sidecar::bind(settings, handles).map_err(|fault| match fault {
        SidecarError::Listen(Address::Unix(path), why) => socket::unbound(&path, &why),
        SidecarError::Listen(address, why) => exit::unbound(address, &why, "give another with --listen"),
        SidecarError::Settings(_) => {
            Failure::usage(fault).hint("--listen 127.0.0.1:8081, or --allow-remote if the network is yours alone")
        }
        SidecarError::Log(_) => Failure::ours(fault),
    })?;
    let scheme_of_address = if matches!(sidecar.address(), Address::Tcp(_)) { "http://" } else { "" };
    say!("sidecar  {scheme_of_address}{}", sidecar.address());
    say!("signs    as {id} by {scheme} with {}, for {}://{}", key.algorithm(), to.scheme(), to.authority());
    if let Some((recipient, seal)) = recipient {
        let fields = [&seal.fields[..], &seal.if_present].concat();
        say!("seals    {} for {}", fields.join(" "), recipient.told());
        tokio::spawn(recipient.watch());
    }
    tokio::spawn(key.watch());
    tokio::spawn(async move {
        if let Some(certificate) = certificate {
            certificate.watch().await;
        }
    });
    let supervisor = Supervisor::of_environment();
    supervisor.ready("signing");
    let told = async {
        stop.await;
        supervisor.stopping("letting requests at hand end");
    };
    sidecar.run(told).await;
    say!("ended    in order");
    Ok(Exit::FINE)
}

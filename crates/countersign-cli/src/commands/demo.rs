use super::{interrupted, wait};
use crate::demo;
use crate::exit::{Exit, Failure};

/// Plays the whole system in one process on loopback, with nothing to configure
///
/// Two APIs with a gateway between: messages that pass, and messages that are refused for every reason there is. Exits with
/// 0 only if every scene comes out as expected. Everything is in a temporary directory, and gone at the end.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Keep serving at the end, and print commands to try
    #[arg(long)]
    stay: bool,
    /// The gateway's port [default: 8001, or a free one]
    #[arg(long, value_name = "PORT", alias = "receiver-port")]
    gateway_port: Option<u16>,
    /// The Sender API's port [default: 8002, or a free one]
    #[arg(long, value_name = "PORT")]
    sender_port: Option<u16>,
}

pub(crate) fn run(args: &Args) -> Result<Exit, Failure> {
    let dir = tempfile::Builder::new().prefix("countersign-demo-").tempdir();
    let dir = dir.map_err(|fault| Failure::ours(format!("no temporary directory: {}", crate::exit::words(&fault))))?;
    wait(async {
        let stop = if args.stay { Some(interrupted()?) } else { None };
        Box::pin(demo::play(dir.path(), args.gateway_port, args.sender_port, stop)).await
    })?
}

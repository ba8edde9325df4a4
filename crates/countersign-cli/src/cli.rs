use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

use crate::commands::{
    completion, curl, demo, gateway, init, key, lint, man, open, partner, registry, seal, seal_key, sidecar, sign,
    token, user, vectors, verify, version,
};
use crate::exit::{Exit, Failure};
use crate::output;

/// Signs HTTP requests, and lets only signed ones through.
#[derive(Parser)]
#[command(name = "countersign", version, propagate_version = false, disable_help_subcommand = true)]
#[command(after_help = EXIT_CODES, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Demo(demo::Args),
    Init(init::Args),
    Lint(lint::Args),
    Gateway(gateway::Args),
    Sidecar(sidecar::Args),
    Partner(partner::Args),
    Key(key::Args),
    Token(token::Args),
    User(user::Args),
    Registry(registry::Args),
    Sign(sign::Args),
    Verify(verify::Args),
    Seal(seal::Args),
    Open(open::Args),
    SealKey(seal_key::Args),
    Curl(curl::Args),
    Vectors(vectors::Args),
    Completion(completion::Args),
    Man(man::Args),
    Version(version::Args),
}

const EXIT_CODES: &str = "\
Exit codes:
   0 fine                     12 bad signature
   1 our own failure          13 policy not met: coverage, algorithm, age
   2 usage or configuration   14 replay
  10 unsigned                 15 digest mismatch
  11 unknown or unusable key  20 findings of lint

First steps:
  countersign demo            everything at once, nothing to configure
  countersign init            a gateway of your own
  countersign curl --help     a signed request to somebody else's";

/// All commands and their flags: what help, completion, manual pages and the reference are made of.
pub(crate) fn tree() -> clap::Command {
    <Cli as clap::CommandFactory>::command()
}

pub(crate) fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(fault) => return usage(&fault),
    };
    let ended = match cli.command {
        Command::Demo(args) => demo::run(&args),
        Command::Init(args) => init::run(&args),
        Command::Lint(args) => lint::run(&args),
        Command::Gateway(args) => gateway::run(&args),
        Command::Sidecar(args) => sidecar::run(args),
        Command::Partner(args) => partner::run(args),
        Command::Key(args) => key::run(args),
        Command::Token(args) => token::run(args),
        Command::User(args) => user::run(args),
        Command::Registry(args) => registry::run(args),
        Command::Sign(args) => sign::run(args),
        Command::Verify(args) => verify::run(&args),
        Command::Seal(args) => seal::run(&args),
        Command::Open(args) => open::run(&args),
        Command::SealKey(args) => seal_key::run(args),
        Command::Curl(args) => curl::run(args),
        Command::Vectors(args) => vectors::run(args),
        Command::Completion(args) => completion::run(&args),
        Command::Man(args) => man::run(&args),
        Command::Version(args) => {
            version::run(&args);
            Ok(Exit::FINE)
        }
    };
    finish(ended)
}

fn finish(ended: Result<Exit, Failure>) -> ExitCode {
    match ended.and_then(|exit| output::lost().map_or(Ok(exit), Err)) {
        Ok(Exit(code)) => code.into(),
        Err(failure) => {
            output::failure(&failure);
            failure.exit.0.into()
        }
    }
}

/// What clap has to say, in the form of our own errors.
fn usage(fault: &clap::Error) -> ExitCode {
    let text = fault.to_string();
    if matches!(fault.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        output::say!("{}", text.trim_end());
        return finish(Ok(Exit::FINE));
    }
    if fault.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        output::note!("{}", text.trim_end());
        return Exit(2).0.into();
    }
    let mut message = Vec::new();
    let mut hints = Vec::new();
    for line in text.lines() {
        match line.trim_start() {
            "" => {}
            line if line.starts_with("tip: ") => hints.push(line["tip: ".len()..].to_owned()),
            line if line.starts_with("Usage: ") => hints.push(format!("usage: {}", &line["Usage: ".len()..])),
            line if line.starts_with("For more information") => {}
            line if line.starts_with("[possible values: ") => {
                hints.push(format!("possible values: {}", line["[possible values: ".len()..].trim_end_matches(']')));
            }
            line => message.push(line.strip_prefix("error: ").unwrap_or(line).trim_end().to_owned()),
        }
    }
    hints.push(format!("{} --help", command_so_far()));
    output::failure(&Failure { hints, ..Failure::usage(message.join(" ")) });
    Exit(2).0.into()
}

/// `countersign key add`, as far as the arguments name commands.
fn command_so_far() -> String {
    let known = tree();
    let mut here = &known;
    let mut text = "countersign".to_owned();
    for argument in std::env::args().skip(1) {
        let Some(next) = here.find_subcommand(&argument) else { break };
        text.push(' ');
        text.push_str(next.get_name());
        here = next;
    }
    text
}

use std::io::{IsTerminal, stdout};

use clap::ValueEnum;
use clap_complete::{Shell, generate};

use crate::exit::{Exit, Failure};
use crate::{cli, output};

/// Prints what a shell needs to complete commands, flags and values
///
/// For the session at hand: source <(countersign completion bash), with fish: countersign completion fish | source. For
/// good: save it as ~/.local/share/bash-completion/completions/countersign for bash, as _countersign in a directory of
/// $fpath for zsh, as ~/.config/fish/completions/countersign.fish for fish.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Which shell
    #[arg(value_name = "SHELL")]
    shell: Known,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Known {
    Bash,
    Zsh,
    Fish,
}

pub(crate) fn run(args: &Args) -> Result<Exit, Failure> {
    let shell = match args.shell {
        Known::Bash => Shell::Bash,
        Known::Zsh => Shell::Zsh,
        Known::Fish => Shell::Fish,
    };
    let mut script = Vec::new();
    generate(shell, &mut cli::tree(), "countersign", &mut script);
    output::bytes(&script)?;
    if stdout().is_terminal() {
        let name = shell.to_string();
        output::note!("hint: countersign completion --help says where this goes for {name}");
    }
    Ok(Exit::FINE)
}

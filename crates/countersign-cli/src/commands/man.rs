use std::io::{IsTerminal, stdout};
use std::path::{Path, PathBuf};

use clap::Command;
use clap_mangen::Man;

use crate::cli;
use crate::exit::{Exit, Failure, io, words};
use crate::output::{self, say};

/// Prints the manual page of a command, or writes all of them
///
/// To read one: countersign man key add | man -l -
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Of which command, e.g. key add [default: countersign itself]
    #[arg(value_name = "COMMAND")]
    command: Vec<String>,
    /// Write the pages of all commands into this directory
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    out: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Result<Exit, Failure> {
    let mut tree = cli::tree();
    tree.build();
    if let Some(dir) = &args.out {
        std::fs::create_dir_all(dir).map_err(|fault| io("can't make", dir, &fault))?;
        let mut written = 0;
        write_all(&tree, dir, &mut written)?;
        say!("written  {} to {}", output::count(written, "page"), dir.display());
        say!("next     man -l {}", dir.join("countersign.1").display());
        return Ok(Exit::FINE);
    }
    let mut command = &tree;
    for name in &args.command {
        command = command.find_subcommand(name).ok_or_else(|| {
            let whole = args.command.join(" ");
            Failure::usage(format!("there is no command {whole}")).hint("countersign --help lists them")
        })?;
    }
    output::bytes(&page(command)?)?;
    if stdout().is_terminal() {
        output::note!("hint: countersign man {} | man -l -", args.command.join(" "));
    }
    Ok(Exit::FINE)
}

fn write_all(command: &Command, dir: &Path, written: &mut usize) -> Result<(), Failure> {
    let name = command.get_display_name().unwrap_or(command.get_name());
    let path = dir.join(format!("{name}.1"));
    std::fs::write(&path, page(command)?).map_err(|fault| io("can't write", &path, &fault))?;
    *written += 1;
    command.get_subcommands().filter(|it| !it.is_hide_set()).try_for_each(|it| write_all(it, dir, written))
}

fn page(command: &Command) -> Result<Vec<u8>, Failure> {
    let command = command.clone().version(env!("CARGO_PKG_VERSION"));
    let mut page = Vec::new();
    let written =
        Man::new(command).section("1").source(concat!("countersign ", env!("CARGO_PKG_VERSION"))).render(&mut page);
    written.map_err(|fault| Failure::ours(format!("no manual page: {}", words(&fault))))?;
    Ok(page)
}

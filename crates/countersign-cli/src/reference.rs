//! The command reference, `docs/commands.md`: written from the same tree as the help, and held to it.

use std::path::Path;

use clap::Command;

use crate::cli;

/// Every command with its help, as a terminal of 80 columns shows it.
fn reference() -> String {
    let mut tree = narrow(cli::tree());
    tree.build();
    let mut text = String::from(HEAD);
    section(&tree, "countersign", &mut text);
    text
}

fn section(command: &Command, path: &str, text: &mut String) {
    let help = command.clone().render_long_help().to_string();
    let lines: Vec<_> = help.trim_end().lines().map(str::trim_end).collect();
    text.push_str(&format!("\n## {path}\n\n```text\n{}\n```\n", lines.join("\n")));
    for below in shown(command) {
        section(below, &format!("{path} {}", below.get_name()), text);
    }
}

fn shown(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|it| !it.is_hide_set())
}

fn narrow(command: Command) -> Command {
    command.term_width(80).mut_subcommands(narrow)
}

const HEAD: &str = "\
# Commands

What `countersign COMMAND --help` says, for all of them. This page is generated: a test fails when it is not what the
program says, and tells how to write it anew.
";

#[test]
fn the_command_reference_is_what_the_program_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/commands.md");
    let (present, wanted) = (std::fs::read_to_string(&path).unwrap_or_default(), reference());
    if std::env::var_os("COUNTERSIGN_REWRITE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &wanted).unwrap();
        return;
    }
    let differing = present.lines().zip(wanted.lines()).position(|(one, other)| one != other);
    assert!(
        present == wanted,
        "docs/commands.md is stale from line {} on. To write it anew:\n\n    \
         COUNTERSIGN_REWRITE=1 cargo test -p countersign-cli --lib reference\n",
        differing.unwrap_or_else(|| present.lines().count().min(wanted.lines().count())) + 1
    );
}

#[test]
fn help_fits_80_columns_and_leaves_nothing_unsaid() {
    for line in reference().lines() {
        assert!(line.chars().count() <= 80 || line.starts_with("Usage: ") || HEAD.contains(line), "{line}");
    }
    speaks(&cli::tree());
}

fn speaks(command: &Command) {
    let name = command.get_name();
    assert!(command.get_about().is_some(), "{name} says nothing of itself");
    for argument in command.get_arguments() {
        assert!(argument.get_help().is_some(), "{name}: {} says nothing of itself", argument.get_id());
    }
    shown(command).for_each(speaks);
}

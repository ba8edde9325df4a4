use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;

use crate::exit::Failure;

/// Writes a line of the result to stdout. A reader that has gone away (`| head`) is no error of ours.
macro_rules! say {
    ($($arg:tt)*) => { $crate::output::result(format_args!($($arg)*)) };
}

/// Writes a line to stderr: what was done, where the files are, what to do next.
macro_rules! note {
    ($($arg:tt)*) => { $crate::output::diagnostic(format_args!($($arg)*)) };
}

pub(crate) use {note, say};

pub(crate) fn result(line: fmt::Arguments<'_>) {
    if let Err(failure) = written(writeln!(io::stdout().lock(), "{line}")) {
        LOST.get_or_init(|| failure.message);
    }
}

/// What kept a line of the result from being written. Told once, at the end: whoever reads the rest should not take it for
/// the whole.
pub(crate) fn lost() -> Option<Failure> {
    LOST.get().map(Failure::ours)
}

static LOST: OnceLock<String> = OnceLock::new();

fn written(outcome: io::Result<()>) -> Result<(), Failure> {
    match outcome {
        Err(fault) if fault.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::ours(format!("stdout: {}", crate::exit::words(&fault))))
        }
        _ => Ok(()),
    }
}

pub(crate) fn diagnostic(line: fmt::Arguments<'_>) {
    drop(writeln!(io::stderr().lock(), "{line}"));
}

/// Writes bytes to stderr as they are, text or not, and a line end.
pub(crate) fn diagnostic_bytes(bytes: &[u8]) {
    drop(io::stderr().lock().write_all(&[bytes, b"\n"].concat()));
}

/// Writes bytes of the result as they are.
pub(crate) fn bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    written(out.write_all(bytes).and_then(|()| out.flush()))
}

/// One JSON document on stdout.
pub(crate) fn json(value: &serde_json::Value) {
    say!("{value:#}");
}

/// `countersign: error: …` and its hints.
pub(crate) fn failure(failure: &Failure) {
    let first = (&failure.message, &failure.hints);
    for (message, hints) in std::iter::once(first).chain(failure.more.iter().map(|(message, hints)| (message, hints))) {
        note!("countersign: {}: {message}", red("error", io::stderr().is_terminal()));
        for hint in hints {
            note!("hint: {hint}");
        }
    }
}

/// `countersign: warning: …` and its hints.
pub(crate) fn warning(message: impl fmt::Display, hints: &[String]) {
    note!("countersign: warning: {message}");
    for hint in hints {
        note!("hint: {hint}");
    }
}

/// Rows under a head, each column as wide as its widest cell, no blanks at the end of a line. Each row has one line, so that
/// it can be searched for; on a terminal that is too narrow for that, the columns that do not fit go below.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) {
    let width = if io::stdout().is_terminal() { terminal_size::terminal_size_of(io::stdout()) } else { None };
    for line in laid_out(head, rows, width.map(|(width, _)| usize::from(width.0))) {
        say!("{line}");
    }
}

fn laid_out(head: &[&str], rows: &[Vec<String>], limit: Option<usize>) -> Vec<String> {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(head.get(column).map(|name| name.len())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let mut out = Vec::new();
    let mut line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut line = String::new();
        let mut taken = 0;
        for (cell, &width) in cells.zip(&widths) {
            if taken > widths[0] && limit.is_some_and(|limit| taken + width > limit) {
                out.push(line.trim_end().to_owned());
                taken = widths[0] + 2;
                line = " ".repeat(taken);
            }
            line.push_str(&format!("{cell:width$}  "));
            taken += width + 2;
        }
        out.push(line.trim_end().to_owned());
    };
    line(&mut head.iter().copied());
    for row in rows {
        line(&mut row.iter().map(String::as_str));
    }
    out
}

/// A label and a sentence behind it, in lines of at most 80 columns. Not for commands: those are to be pasted.
pub(crate) fn paragraph(label: &str, text: &str) -> String {
    let label = format!("{label:<8} ");
    folded(&label, label.len(), text)
}

/// Text for stdout: on a terminal in lines of at most 80 columns, elsewhere on one, so that it can be searched for.
pub(crate) fn fitted(start: &str, indent: usize, text: &str) -> String {
    if io::stdout().is_terminal() { folded(start, indent, text) } else { format!("{start}{text}") }
}

fn folded(start: &str, indent: usize, text: &str) -> String {
    let mut out = start.to_owned();
    let mut column = start.chars().count();
    let mut first = true;
    for word in text.split(' ') {
        let width = word.chars().count();
        if !first && column + 1 + width > 80 {
            out.push('\n');
            out.push_str(&" ".repeat(indent));
            column = indent;
        } else if !first {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += width;
        first = false;
    }
    out
}

/// `1 route`, `2 routes`.
pub(crate) fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// Green on a terminal that wants colours.
pub(crate) fn green(text: &str) -> String {
    coloured(text, 32, io::stdout().is_terminal())
}

/// Red where `terminal` says that a terminal reads.
pub(crate) fn red(text: &str, terminal: bool) -> String {
    coloured(text, 31, terminal)
}

fn coloured(text: &str, colour: u8, terminal: bool) -> String {
    if wants_colour(terminal, |name| std::env::var(name).ok()) {
        format!("\x1b[{colour}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}

/// <https://no-color.org>: any value but the empty one says no, whatever else is said. <https://bixense.com/clicolors>:
/// `CLICOLOR=0` says no, `CLICOLOR_FORCE` says yes also where no terminal reads.
fn wants_colour(terminal: bool, variable: impl Fn(&str) -> Option<String>) -> bool {
    let says = |name: &str, no: &str| variable(name).filter(|value| !value.is_empty()).map(|value| value != no);
    match () {
        () if says("NO_COLOR", "").is_some() => false,
        () if says("CLICOLOR_FORCE", "0") == Some(true) => true,
        () => terminal && says("CLICOLOR", "0") != Some(false) && says("TERM", "dumb") != Some(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_for_terminals_that_want_it() {
        let wanted = |terminal, set: &[(&str, &str)]| {
            wants_colour(terminal, |name| set.iter().find(|it| it.0 == name).map(|it| it.1.to_owned()))
        };
        assert!(wanted(true, &[]) && wanted(true, &[("NO_COLOR", "")]) && wanted(true, &[("CLICOLOR", "1")]));
        assert!(!wanted(false, &[]) && !wanted(false, &[("CLICOLOR", "1")]));
        assert!(!wanted(true, &[("NO_COLOR", "1")]) && !wanted(true, &[("TERM", "dumb")]));
        assert!(!wanted(true, &[("CLICOLOR", "0")]));
        assert!(wanted(false, &[("CLICOLOR_FORCE", "1")]) && !wanted(false, &[("CLICOLOR_FORCE", "0")]));
        assert!(!wanted(false, &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
    }

    #[test]
    fn a_table_that_is_too_wide_goes_on_below() {
        let rows = [vec!["acme-1".to_owned(), "trusted-site".to_owned(), "active".to_owned()]];
        let wide = ["ID      SCHEME        STATE", "acme-1  trusted-site  active"];
        assert_eq!(laid_out(&["ID", "SCHEME", "STATE"], &rows, None), wide);
        assert_eq!(laid_out(&["ID", "SCHEME", "STATE"], &rows, Some(28)), wide);
        let narrow = ["ID      SCHEME", "        STATE", "acme-1  trusted-site", "        active"];
        assert_eq!(laid_out(&["ID", "SCHEME", "STATE"], &rows, Some(27)), narrow);
    }

    #[test]
    fn a_paragraph_stays_within_80_columns_and_keeps_its_words() {
        let text = "word ".repeat(60) + &"x".repeat(100);
        let lines = paragraph("fix", &text);
        assert!(lines.starts_with("fix      word word"));
        assert!(lines.lines().all(|line| line.len() <= 80 || line.trim().len() == 100), "{lines}");
        assert!(lines.lines().skip(1).all(|line| line.starts_with("         ")), "{lines}");
        assert_eq!(lines.split_whitespace().count(), 62);
    }
}

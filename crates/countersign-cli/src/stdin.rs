//! What commands are given on stdin: to its end, and bounded.

use std::io::{IsTerminal, Read};

use crate::exit::{Failure, words};
use crate::output::note;

/// All of it. `what` names it for whoever types it, and for errors.
pub(crate) fn read(what: &str) -> Result<Vec<u8>, Failure> {
    let mut input = std::io::stdin().lock();
    if input.is_terminal() {
        note!("reading a {what} from the terminal; Ctrl-D ends it");
    }
    let mut text = Vec::new();
    let read = (&mut input).take(MOST + 1).read_to_end(&mut text);
    read.map_err(|fault| Failure::ours(format!("stdin: {}", words(&fault))))?;
    if text.len() as u64 > MOST {
        return Err(Failure::usage(format!("the {what} on stdin is longer than 256 MiB")));
    }
    Ok(text)
}

/// Read into memory as a whole, so no more.
const MOST: u64 = 256 << 20;

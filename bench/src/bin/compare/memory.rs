//! What a gateway of ours holds in memory: when it has just begun, and with many callers who say nothing.

use std::time::Duration;

use crate::contenders::{OURS_FRESH, Stage};
use crate::drive::Field;
use crate::messages;
use crate::ours::{Ours, WATCHED};
use crate::{Settings, address, kernel};

/// Bytes in use.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// Before the first caller.
    pub idle: u64,
    /// For each connection that was opened, and on which nothing was said.
    pub opened: u64,
    /// For each connection that is kept open behind a request.
    pub kept: u64,
}

/// Of a gateway with nothing behind it.
pub fn measure(stage: &Stage, settings: &Settings, field: &mut Field) -> Memory {
    let ours = Ours { binary: &settings.countersign, dir: settings.dir.join("fresh"), workers: 1, port: OURS_FRESH };
    let process = ours.start(&stage.authors, stage.origin, &settings.core);
    field.rest(Duration::from_secs(1));
    let in_use = || kernel::memory(&process.numbers());
    let idle = in_use();
    assert!(field.connect(address(OURS_FRESH), None, CALLERS), "callers were turned away");
    field.rest(SETTLE);
    let opened = in_use();
    field.send_once_each(&messages::plain(WATCHED, &[])).unwrap_or_else(|e| panic!("{e}"));
    field.rest(SETTLE);
    let kept = in_use();
    field.disconnect();
    let each = |bytes: u64| bytes.saturating_sub(idle) / CALLERS as u64;
    Memory { idle, opened: each(opened), kept: each(kept) }
}

const CALLERS: usize = 2000;
const SETTLE: Duration = Duration::from_millis(500);

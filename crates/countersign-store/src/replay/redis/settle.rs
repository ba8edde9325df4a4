//! What a node makes of the mark that it finds: whether the store still remembers all that was admitted, and from when on.

use std::time::Duration;

use countersign::Timestamp;

use super::info::Server;
use super::mark::Mark;
use crate::replay::per_scheme::{Floors, Millis};
use crate::replay::restart::{Reach, millis};
use crate::replay::state_file::Terms;

/// What lies in the store.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// The store's clock.
    pub(super) now: Timestamp,
    /// What stands for the mark, one for each of its states; empty where there is none.
    pub(super) token: String,
    /// The mark as text; empty where there is none.
    pub(super) mark: String,
    /// The latest that the store's clock was.
    pub(super) high: Option<Timestamp>,
}

/// What a node knows of the memory that it admitted by before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// It never admitted anything.
    Nothing,
    /// It admitted by a memory that is not this one, or it can't tell.
    Other,
    /// By the memory of this line, under such skews at most.
    Line(String, Millis),
}

impl Known {
    /// What it admitted under, as far as that is known.
    fn skews(&self) -> Millis {
        if let Self::Line(_, skew) = self { *skew } else { Millis::default() }
    }
}

/// Why a store can't be trusted with what was signed before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    Emptied,
    Unreadable,
    Restarted,
    FailedOver,
    Evicted,
    ClockWentBack,
    AnotherMemory,
}

impl Loss {
    pub(super) fn why(self) -> &'static str {
        match self {
            Self::Emptied => "it was emptied, or came back without its memory",
            Self::Unreadable => "its mark can't be read",
            Self::Restarted => "another process answers, which may lack the last of what was admitted",
            Self::FailedOver => "another primary's data took the place of its own",
            Self::Evicted => "it evicted keys",
            Self::ClockWentBack => "its clock ran ahead and went back, so it may have forgotten too soon",
            Self::AnotherMemory => "this gateway admitted by another memory before",
        }
    }
}

/// The mark that has to stand in the store before anything is admitted by it, and what was lost, if anything was.
/// `steady` says that this node saw the same process serve the mark a moment ago. `line` is a fresh one, for a memory that
/// begins.
pub(super) fn settle(
    found: &Found,
    server: &Server,
    known: &Known,
    reach: Reach,
    steady: bool,
    line: String,
) -> (Mark, Option<Loss>) {
    let (skew, age) = (reach.skews(), millis(reach.max_age));
    // Gateways' clocks may be ahead of the store's, and the mark stands a moment after we looked.
    let at = found.now.after(OFF + COMMIT);
    let read = Mark::from_text(&found.mark).filter(|_| !found.token.is_empty());
    // What gateways admitted under, of all that it is known of.
    let (marked, mine) = (read.as_ref().map(|mark| mark.terms.max_skew).unwrap_or_default(), known.skews());
    let (mut mark, loss) = match read {
        Some(mark) => {
            let loss = loss(&mark, found, server, known, steady);
            (mark, loss)
        }
        None => {
            let loss = match (&found.token[..], &found.mark[..], known) {
                ("", "", Known::Nothing) => None,
                ("", "", _) => Some(Loss::Emptied),
                _ => Some(Loss::Unreadable),
            };
            let wait = if loss.is_some() { Duration::ZERO } else { QUIET };
            let mark = Mark {
                line,
                follows: if let Known::Line(line, _) = known { Some(line.clone()) } else { None },
                born: found.now,
                opens: found.now.after(wait),
                run_id: String::new(),
                replid: String::new(),
                evicted: 0,
                terms: Terms { max_skew: skew, max_age: age, raised: Vec::new(), floors: Floors::default() },
            };
            (mark, loss)
        }
    };
    let terms = &mut mark.terms;
    let before = terms.max_age;
    terms.max_age = before.max(age);
    terms.raise(before, at);
    terms.max_skew = terms.max_skew.max(skew);
    if let Some(loss) = loss {
        terms.max_skew = terms.max_skew.max(mine);
        // By each scheme's own skew, as far as it is known what was admitted in which. A mark tells of all gateways, but not of
        // another memory than its own; without it other gateways may have admitted more than this one knows.
        let told = match (loss, known) {
            (_, Known::Other) => Millis::default(),
            (Loss::AnotherMemory, _) => mine,
            _ => marked.max(mine),
        };
        terms.floors = terms.floors.max(terms.max_skew.floors_where(&told, at));
        // The floor reaches beyond all that a shorter age could matter to.
        terms.raised.clear();
    }
    mark.run_id.clone_from(&server.run_id);
    mark.replid.clone_from(&server.replid);
    mark.evicted = server.evicted;
    (mark, loss)
}

fn loss(mark: &Mark, found: &Found, server: &Server, known: &Known, steady: bool) -> Option<Loss> {
    if mark.run_id != server.run_id {
        return Some(Loss::Restarted);
    }
    // A primary whose replicas stay away for long renames its data, too; then there is no second id.
    if mark.replid != server.replid && (!steady || server.had_another_primary) {
        return Some(Loss::FailedOver);
    }
    if server.evicted > mark.evicted {
        return Some(Loss::Evicted);
    }
    match found.high {
        None => return Some(Loss::Emptied),
        Some(high) if found.now < high.before(OFF) => return Some(Loss::ClockWentBack),
        Some(_) => {}
    }
    match known {
        Known::Nothing => None,
        // A mark never falls behind what was noted after it, unless the store came back with an older one.
        Known::Line(line, skew) if *line == mark.line && mark.terms.max_skew.covers(skew) => None,
        // Whoever began this line knew of ours, and set a floor above all that we can have admitted under it.
        Known::Line(line, skew) if mark.follows.as_ref() == Some(line) && covers(mark, skew) => None,
        Known::Line(..) | Known::Other => Some(Loss::AnotherMemory),
    }
}

/// Whether its floors lie above all that was signed, under such skews, before the memory was born.
fn covers(mark: &Mark, skew: &Millis) -> bool {
    let above = |skew: i64| Timestamp::from_millis(mark.born.after(OFF).as_millis().saturating_add(skew));
    mark.terms.floors.covers(&skew.map(|skew| skew.map(above)))
}

/// How far the store's clock may be off a gateway's. The scripts say the same.
pub(super) const OFF: Duration = Duration::from_secs(30);

/// How old what was looked at may be when the new mark is put there. `commit.lua` says the same.
const COMMIT: Duration = Duration::from_secs(1);

/// More than gateways let pass between two looks.
const QUIET: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests;

//! A record is made by recording, and by nothing else.
//~ error[E0451]: fields `basis` and `trace` of struct `Recorded` are private
use countersign::Basis;

use crate::record::Recorded;
use crate::spool::Held;
use crate::trace::TraceId;

fn record(basis: Basis<Held>, trace: TraceId) -> Recorded {
    Recorded { basis, trace }
}

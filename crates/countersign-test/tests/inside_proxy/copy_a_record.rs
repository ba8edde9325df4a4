//! A record is not copied: the copy would go out too.
//~ error[E0277]: the trait bound `Recorded: Clone` is not satisfied
use crate::record::Recorded;

fn copied<T: Clone>() {}

fn copy() {
    copied::<Recorded>();
}

use super::fuzz;

#[path = "../../../../fuzz/replay.rs"]
mod replay;

#[test]
fn what_the_fuzzer_kept_is_framed_as_hyper_sees_it() {
    replay::replay("framing", fuzz::framing);
}

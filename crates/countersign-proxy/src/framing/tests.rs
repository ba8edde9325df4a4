use super::fuzz;

#[test]
fn what_the_fuzzer_kept_is_framed_as_hyper_sees_it() {
    crate::replay::replay("framing", fuzz::framing);
}

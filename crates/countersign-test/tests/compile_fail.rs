//! What must not compile: every way round the chain of proofs that a slip of the pen could take. Each file beside its
//! `.stderr` is one of them; what rustc says is held too, so that it fails for the reason it should. Where rustc words a
//! message anew: `TRYBUILD=overwrite cargo test -p countersign-test --test compile_fail`, and read the difference.

#[test]
fn the_chain_of_proofs_has_no_way_round() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}

/// The text of the file that `countersign init` writes: strict, commented, and complete. What a beginner does not need is
/// commented out without a blank behind the `#`, with its default where it has one.
#[must_use]
pub fn init_file() -> &'static str {
    include_str!("init.toml")
}

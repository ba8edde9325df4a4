//! Vectors as others published them, where they lie beside the repository.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "not every test reads all of it")]

use std::path::Path;

/// A file of theirs; `None` where they are not there at all. A folder without this file is a failure, not an absence.
#[expect(clippy::disallowed_methods, reason = "a test may read files; the core itself is handed bytes")]
pub fn published(file: &str) -> Option<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors");
    if !folder.is_dir() {
        return None;
    }
    let path = folder.join(file);
    Some(std::fs::read_to_string(&path).unwrap_or_else(|fault| panic!("{}: {fault}", path.display())))
}

/// The literal blocks of a page, each with the text before it, lines that were folded (RFC 8792 §7) made whole again.
pub fn blocks(page: &str) -> Vec<(&str, String)> {
    let parts: Vec<_> = page.split("\n~~~").collect();
    let blocks = parts.chunks_exact(2).map(|pair| {
        let text = pair[1].split_once('\n').map_or("", |(_, text)| text);
        let text = text.strip_prefix("NOTE: '\\' line wrapping per RFC 8792\n\n").unwrap_or(text);
        let mut lines = text.split("\\\n");
        let first = lines.next().unwrap_or_default().to_owned();
        (pair[0], lines.fold(first, |whole, line| whole + line.trim_start()))
    });
    blocks.collect()
}

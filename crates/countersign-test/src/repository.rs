//! The files of this repository, as they would be committed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The directory of the root manifest.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or(Path::new(".")).to_owned()
}

/// The text of a file, by its path from the root.
///
/// # Panics
/// Where it can't be read: every rule needs its file.
#[must_use]
pub fn text(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A TOML file, by its path from the root.
///
/// # Panics
/// Where it can't be read or parsed.
#[must_use]
pub fn toml(path: impl AsRef<Path>) -> toml::Table {
    let path = path.as_ref();
    text(path).parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The directories of our crates, sorted: everything below `crates/` that has a manifest.
#[must_use]
pub fn crates() -> Vec<PathBuf> {
    let mut found: Vec<_> = entries(&root().join("crates")).filter(|path| path.join("Cargo.toml").exists()).collect();
    found.sort();
    found
}

/// Every file, by its path from the root, sorted: what git knows and what it would add. Without git (a tarball), what lies
/// there, but for build output.
#[must_use]
pub fn files() -> Vec<PathBuf> {
    let root = root();
    let git = Command::new("git")
        .current_dir(&root)
        // Whoever checked the files out need not be who runs the tests.
        .args(["-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .output();
    let mut files: Vec<_> = match git {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout)
            .split_terminator('\0')
            .map(PathBuf::from)
            .filter(|path| root.join(path).is_file())
            .collect(),
        _ => walk(&root).into_iter().filter_map(|path| path.strip_prefix(&root).map(Path::to_owned).ok()).collect(),
    };
    files.sort();
    files
}

/// Every file below a directory.
#[must_use]
pub fn walk(directory: &Path) -> Vec<PathBuf> {
    const NOT_OURS: [&str; 4] = [".git", "target", "node_modules", "__pycache__"];
    let mut files = Vec::new();
    for path in entries(directory) {
        if !path.is_dir() {
            files.push(path);
        } else if !NOT_OURS.iter().any(|name| path.ends_with(name)) {
            files.extend(walk(&path));
        }
    }
    files
}

fn entries(directory: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    entries.map(|entry| entry.expect("an entry can be read").path())
}

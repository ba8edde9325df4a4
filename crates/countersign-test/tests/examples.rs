//! The examples, each by the commands of its README. They need what they are written in, so `./test examples` runs them and
//! plain `cargo test` does not.

use std::path::{Path, PathBuf};

use countersign_test::pages::{Start, shows_what_it_says};
use countersign_test::repository;

/// Each in a test of its own, so that one does not hide another.
macro_rules! examples {
    ($($name:ident = $folder:literal;)*) => {
        const FOLDERS: &[&str] = &[$($folder),*];

        $(
            #[test]
            fn $name() {
                shows_what_it_says(Path::new("examples").join($folder).join("README.md"), Start::Project);
            }
        )*
    };
}

examples! {
    api_behind = "api-behind";
    partner_go = "partner-go";
    partner_java = "partner-java";
    partner_node = "partner-node";
    partner_python = "partner-python";
    sidecar = "sidecar";
    trusted_site_php = "trusted-site-php";
}

#[test]
fn the_quickstart_for_partners() {
    shows_what_it_says("docs/quickstart-partner.md", Start::Project);
}

#[test]
fn every_example_is_run_and_small_and_named_in_the_index() {
    let index = repository::text("examples/README.md");
    for (folder, file) in files() {
        assert!(FOLDERS.contains(&folder.as_str()), "{folder} is not run");
        assert!(index.contains(&format!("[{folder}]({folder}/)")), "{folder} is not in the index");
        let lines = repository::text(&file).lines().count();
        assert!(lines < 60, "{} has {lines} lines: an example is read at one glance", file.display());
    }
    assert!(FOLDERS.iter().all(|folder| files().iter().any(|(other, _)| other == folder)));
}

/// Every file in a folder of the examples, with the folder.
fn files() -> Vec<(String, PathBuf)> {
    let files = repository::files().into_iter().filter_map(|path| {
        let below = path.strip_prefix("examples").ok()?;
        let folder = below.parent().filter(|folder| !folder.as_os_str().is_empty())?;
        Some((folder.display().to_string(), path.clone()))
    });
    files.collect()
}

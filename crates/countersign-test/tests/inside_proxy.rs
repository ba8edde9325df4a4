//! What must not compile inside the proxy: its way out is private to it, so the slips are written into a copy of the crate,
//! as a module `slip` of its own. The `//~` lines of a slip are the errors it has to give, all of them, in that order.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use countersign_test::repository;

#[test]
fn nothing_weaker_than_a_record_finds_the_way_out() {
    let copy = Copy::make();
    assert_eq!(copy.errors("// No slip at all.\n"), Vec::<String>::new(), "the copy itself does not compile");
    let slips = repository::walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/inside_proxy"));
    assert!(!slips.is_empty());
    for path in slips {
        let slip = fs::read_to_string(&path).expect("a slip can be read");
        let expected: Vec<_> = slip.lines().filter_map(|line| line.strip_prefix("//~ ")).map(str::to_owned).collect();
        assert!(!expected.is_empty(), "{} expects no error", path.display());
        assert_eq!(copy.errors(&slip), expected, "{}", path.display());
    }
}

/// The proxy and the core, copied beside the build output, in a workspace of their own.
struct Copy(PathBuf);

impl Copy {
    fn make() -> Self {
        let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join("inside_proxy");
        drop(fs::remove_dir_all(&copy));
        for member in ["crates/countersign", "crates/countersign-proxy"] {
            for path in repository::walk(&repository::root().join(member)) {
                let below = path.strip_prefix(repository::root()).expect("it lies below the root");
                write(&copy.join(below), &fs::read(&path).expect("a source can be read"));
            }
        }
        let mut manifest = repository::toml("Cargo.toml");
        let workspace = manifest.get_mut("workspace").and_then(toml::Value::as_table_mut).expect("a workspace");
        workspace.insert("members".into(), vec!["crates/countersign", "crates/countersign-proxy"].into());
        workspace.remove("default-members");
        write(&copy.join("Cargo.toml"), manifest.to_string().as_bytes());
        write(&copy.join("Cargo.lock"), repository::text("Cargo.lock").as_bytes());
        let library = copy.join("crates/countersign-proxy/src/lib.rs");
        let source = fs::read_to_string(&library).expect("the library can be read");
        write(&library, format!("{source}\nmod slip;\n").as_bytes());
        Self(copy)
    }

    /// The errors that the compiler finds with this slip in place.
    fn errors(&self, slip: &str) -> Vec<String> {
        write(&self.0.join("crates/countersign-proxy/src/slip.rs"), slip.as_bytes());
        let output = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(["check", "--package=countersign-proxy", "--color=never"])
            .current_dir(&self.0)
            // The other crates are checked already, for clippy or by an earlier run.
            .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("target/tmp"))
            .output()
            .expect("cargo runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        let errors: Vec<_> = stderr.lines().filter(|line| line.starts_with("error[")).map(str::to_owned).collect();
        assert_eq!(output.status.success(), errors.is_empty(), "{stderr}");
        errors
    }
}

fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().expect("a file lies somewhere")).expect("directories can be made");
    fs::write(path, bytes).expect("a file can be written");
}

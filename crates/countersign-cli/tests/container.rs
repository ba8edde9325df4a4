//! The container recipe, as far as it can be held without a container engine: what it copies, builds, and starts.

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use support::Dir;
use support::gateway::Gateway;

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The instructions: name and rest, continued lines joined.
fn recipe() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(project().join("deploy/Containerfile")).unwrap().replace("\\\n", " ");
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    lines.map(|line| line.split_once(' ').unwrap()).map(|(name, rest)| (name.to_owned(), rest.to_owned())).collect()
}

fn all<'a>(recipe: &'a [(String, String)], name: &str) -> Vec<&'a str> {
    recipe.iter().filter(|it| it.0 == name).map(|it| it.1.as_str()).collect()
}

/// `["a", "b"]`, as an instruction has it.
fn list(text: &str) -> Vec<String> {
    serde_json::from_str(text).unwrap()
}

#[test]
fn what_is_built_is_what_is_copied_and_started_and_not_as_root() {
    let recipe = recipe();
    let [build] = recipe.iter().filter(|it| it.1.starts_with("cargo ")).collect::<Vec<_>>()[..] else { panic!() };
    assert!(build.1.contains(" --release --locked --package countersign-cli --bin countersign"), "{build:?}");
    let work = all(&recipe, "WORKDIR")[0];
    let [from_build] = all(&recipe, "COPY").into_iter().filter(|it| it.starts_with("--from=")).collect::<Vec<_>>()[..]
    else {
        panic!()
    };
    let binary = "/usr/bin/countersign";
    assert_eq!(from_build, format!("--from=build {work}/target/release/countersign {binary}"));
    assert_eq!(list(all(&recipe, "ENTRYPOINT")[0]), [binary]);
    assert_eq!(list(all(&recipe, "CMD")[0]), ["gateway", "--config", "/etc/countersign/countersign.toml"]);
    assert_eq!(all(&recipe, "STOPSIGNAL"), ["SIGTERM"]);

    let user = all(&recipe, "USER")[0];
    let (uid, gid) = user.split_once(':').unwrap();
    assert!(uid.parse::<u32>().unwrap() > 0 && gid.parse::<u32>().unwrap() > 0, "{user}");
    let volume = all(&recipe, "VOLUME")[0];
    let made = format!("install -d -o {uid} -g {gid} -m 0700 {volume}");
    assert!(recipe.iter().any(|it| it.0 == "RUN" && it.1.contains(&made)), "{recipe:?}");
    // Whoever comes after USER can't write to the image; whoever copies after it could.
    let at = |name: &str| recipe.iter().rposition(|it| it.0 == name).unwrap();
    assert!(at("COPY") < at("USER") && at("RUN") < at("USER"));

    let manifest = std::fs::read_to_string(project().join("Cargo.toml")).unwrap();
    let version = manifest.lines().find_map(|line| line.strip_prefix("rust-version = \"")).unwrap().trim_matches('"');
    assert!(all(&recipe, "FROM")[0].starts_with(&format!("docker.io/library/rust:{version}-bookworm ")), "{version}");
    assert!(all(&recipe, "FROM")[1].contains("bookworm"), "the C library that it was linked to");
}

#[test]
fn what_is_copied_is_all_that_the_build_needs() {
    let recipe = recipe();
    let dir = Dir::new();
    let ignored = std::fs::read_to_string(project().join(".dockerignore")).unwrap();
    let ignored: Vec<&str> = ignored.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(ignored[0], "*");
    for copied in all(&recipe, "COPY").into_iter().filter(|it| !it.starts_with("--")) {
        let (from, to) = copied.split_once(' ').unwrap();
        assert!(ignored.contains(&format!("!{from}").as_str()), "{from} is copied, and .dockerignore keeps it away");
        let copy = Command::new("cp").arg("-r").arg(project().join(from)).arg(dir.path(to)).status();
        assert!(copy.unwrap().success(), "{copied}");
    }
    // The workspace is whole: no member, target or lock entry is missing. What the sources include lies below crates/.
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--offline", "--format-version", "1", "--no-deps"])
        .current_dir(dir.here())
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert!(metadata.status.success(), "{}", String::from_utf8_lossy(&metadata.stderr));
    assert!(String::from_utf8_lossy(&metadata.stdout).contains("\"name\":\"countersign\""));
    let includes = ["-rhoE", "include_(str|bytes)!\\(\"[^\"]*", "crates", "--include=*.rs", "--exclude-dir=tests"];
    let found = Command::new("grep").args(includes).current_dir(dir.here()).output().unwrap();
    let text = String::from_utf8(found.stdout).unwrap();
    assert!(!text.is_empty() && text.lines().all(|line| !line.contains("../../../")), "{text}");
}

#[test]
fn what_the_recipe_says_of_the_configuration_starts_a_gateway() {
    let said = std::fs::read_to_string(project().join("deploy/Containerfile")).unwrap();
    for setting in ["data = \"/data\"", "listen = [\"0.0.0.0:8080\"] with public_url", "insecure_listen = true"] {
        assert!(said.contains(setting), "{setting}");
    }
    let dir = Dir::new();
    std::fs::create_dir(dir.path("data")).unwrap();
    dir.write(
        "countersign.toml",
        "data = \"data\"\n[gateway]\nlisten = [\"0.0.0.0:0\"]\npublic_url = [\"https://api.example.com\"]\n\
         insecure_listen = true\nworkers = 1\n[admin]\nlisten = \"127.0.0.1:0\"\n\
         [[route]]\npath = \"/orders\"\nupstream = \"http://127.0.0.1:1\"\n",
    );
    let gateway = Gateway::start(&dir);
    // Beside the running gateway, as `podman exec` would.
    dir.fine("partner add acme --config countersign.toml");
    let left: Vec<_> = std::fs::read_dir(dir.here()).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(left.len(), 3, "all that it writes lies in the data directory, but for the log of this test: {left:?}");
    assert_eq!(gateway.end("-TERM"), Some(0));
}

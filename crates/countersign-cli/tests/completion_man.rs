//! What shells and `man` are given.

mod support;

use std::process::Command;

use support::Dir;

#[test]
fn completion_knows_every_command_in_each_shell() {
    let dir = Dir::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = dir.fine(&format!("completion {shell}"));
        for word in ["gateway", "revoke", "tamper", "trusted-site", "ml-dsa-65"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    assert_eq!(dir.run("completion tcsh").code, 2);
    dir.write("script", &dir.fine("completion bash"));
    let asks = "source ./script; COMP_WORDS=(countersign key re); COMP_CWORD=2; _countersign countersign re key; \
                echo \"${COMPREPLY[@]}\"";
    let completed = Command::new("bash").args(["--norc", "-c", asks]).current_dir(dir.here()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&completed.stdout).trim(), "retire revoke", "{completed:?}");
}

#[test]
fn each_command_has_its_manual_page() {
    let dir = Dir::new();
    let page = dir.fine("man");
    assert!(page.contains(".TH countersign 1") && page.contains("countersign\\-curl(1)"), "{page}");
    let page = dir.fine("man key add");
    assert!(page.contains(".TH countersign-key-add 1") && page.contains("not\\-after"), "{page}");
    let unknown = dir.run("man key ad");
    assert!(unknown.code == 2 && unknown.err.contains("there is no command key ad\nhint: "), "{unknown:?}");
    let out = dir.fine("man --out pages");
    let pages = std::fs::read_dir(dir.path("pages")).unwrap().count();
    assert!(out.contains(&format!("{pages} pages")) && pages > 20, "{out}");
    assert!(dir.read("pages/countersign-key-revoke.1").contains("reason"));
}

#[test]
fn the_reference_is_what_help_prints() {
    let dir = Dir::new();
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/commands.md")).unwrap();
    let text = |help: &str| help.split_whitespace().collect::<Vec<_>>().join(" ");
    for command in ["curl", "key add", "registry backup"] {
        let (_, section) = page.split_once(&format!("\n## countersign {command}\n\n```text\n")).unwrap();
        let (section, _) = section.split_once("\n```\n").unwrap();
        assert_eq!(text(section), text(&dir.fine(&format!("{command} --help"))), "{command}");
    }
}

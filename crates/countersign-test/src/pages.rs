//! Pages that show commands, run: the shell blocks of each in order as one shell, and what it says that one sees.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};
use std::{env, thread};

use crate::repository;

/// The two commands of a fresh clone. They are not run as a page's: `./test` is what runs the pages, and the demo has a test
/// of its own (`crates/countersign-cli/tests/demo.rs`).
pub const SET_UP: &str = "cargo run --release -- demo\n./test\n";

/// The ports that pages take, each exchanged for a free one. 9090 stands in the file that `init` writes. To
/// `examples/gateway.sh` they are told under these names.
const PORTS: [(&str, &str); 4] = [("8080", "GATEWAY"), ("8081", "SIDECAR"), ("9000", "API"), ("9090", "ADMIN")];

/// Seconds; the scripts themselves wait ten at most.
const LIMIT: u64 = 120;

/// Where the shell of a page starts.
#[derive(Clone, Copy, Debug)]
pub enum Start {
    /// In an empty directory.
    Empty,
    /// In the directory of the project, which the page leaves before it writes anything.
    Project,
}

/// Runs a page, and holds what came against what it says that comes.
///
/// # Panics
/// Where a command fails, or something that the page shows did not come.
pub fn shows_what_it_says(page: impl AsRef<Path>, start: Start) {
    let page = page.as_ref().display();
    let blocks = blocks(&repository::text(page.to_string()));
    let typed = blocks.iter().filter(|block| block.is_typed()).map(|block| block.text.as_str());
    let (script, ports) = on_free_ports(&typed.collect::<String>());

    let (status, out, err) = Shell::start(&script, start, &ports).finish();
    let told = format!("{page}: {status}\n--- the script\n{script}\n--- stdout\n{out}\n--- stderr\n{err}");
    assert!(status.success(), "{told}");

    // Lines in HTTP end in CR LF.
    let out = out.replace('\r', "");
    let mut rest = out.as_str();
    for line in promised(&blocks) {
        let line = ports.iter().fold(line.to_owned(), |line, (old, new)| line.replace(old, new));
        for part in line.split('…').filter(|part| !part.is_empty()) {
            let at = rest.find(part).unwrap_or_else(|| panic!("{part:?} is shown here, and it did not come: {told}"));
            rest = &rest[at + part.len()..];
        }
    }
}

struct Block {
    language: String,
    text: String,
}

impl Block {
    /// Whether it is typed into the shell of its page.
    fn is_typed(&self) -> bool {
        self.language == "sh" && self.text != SET_UP
    }
}

/// The fenced blocks, in order.
fn blocks(markdown: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = markdown.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let text = lines.by_ref().take_while(|line| *line != "```").flat_map(|line| [line, "\n"]).collect();
            blocks.push(Block { language: language.to_owned(), text });
        }
    }
    blocks
}

/// What is said to be seen: the block of text right behind each shell block that is run.
fn promised(blocks: &[Block]) -> Vec<&str> {
    let pairs = blocks.windows(2).filter(|pair| pair[0].is_typed() && pair[1].language == "text");
    let lines: Vec<_> = pairs.flat_map(|pair| pair[1].text.lines()).collect();
    assert!(!lines.is_empty(), "the page no longer says what one sees");
    lines
}

/// The script with free ports, in what it types and in the file that `init` writes for it.
fn on_free_ports(script: &str) -> (String, BTreeMap<&'static str, String>) {
    // All at once, so that they differ.
    let held = PORTS.map(|(port, _)| (port, TcpListener::bind("127.0.0.1:0").expect("a port is free")));
    let ports: BTreeMap<_, _> =
        held.iter().map(|(port, free)| (*port, free.local_addr().expect("it is bound").port().to_string())).collect();
    let script = ports.iter().fold(script.to_owned(), |script, (old, new)| script.replace(old, new));
    let edits: String = ports.iter().map(|(old, new)| format!(" -e s/127.0.0.1:{old}/127.0.0.1:{new}/")).collect();
    let init = "countersign init\n";
    (script.replace(init, &format!("{init}sed -i{edits} countersign.toml\n")), ports)
}

/// A shell that runs a script in a directory of its own. Everything it started ends with it.
struct Shell {
    child: Child,
    directory: PathBuf,
}

impl Shell {
    fn start(script: &str, start: Start, ports: &BTreeMap<&str, String>) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let binary = binary();
        let directory =
            env::temp_dir().join(format!("countersign-pages-{}-{}", std::process::id(), COUNT.fetch_add(1, Relaxed)));
        fs::create_dir(&directory).expect("a directory of our own");
        let before = env::var("PATH").expect("there is a PATH");
        let path = format!("{}:{before}", binary.parent().expect("it lies in a directory").display());
        let file = |name: &str| File::create(directory.join(name)).expect("a file of our own");
        let mut bash = Command::new("bash");
        // Whoever runs this may have settings of his own; nothing here may depend on them.
        for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("COUNTERSIGN_")) {
            bash.env_remove(name);
        }
        for (port, name) in PORTS {
            bash.env(name, format!("127.0.0.1:{}", ports[port]));
        }
        let here = match start {
            Start::Empty => directory.clone(),
            Start::Project => repository::root(),
        };
        bash.args(["-eu", "-c", script])
            .current_dir(here)
            .env("PATH", path)
            .env("TMPDIR", &directory)
            .stdin(Stdio::null())
            // Files, not pipes: what is left running in the background would hold a pipe open.
            .stdout(file("stdout"))
            .stderr(file("stderr"))
            .process_group(0);
        Self { child: bash.spawn().expect("bash starts"), directory }
    }

    fn finish(mut self) -> (ExitStatus, String, String) {
        let started = Instant::now();
        let status = loop {
            match self.child.try_wait().expect("bash can be waited for") {
                Some(status) => break status,
                None if started.elapsed() > Duration::from_secs(LIMIT) => self.end_all(),
                None => thread::sleep(Duration::from_millis(50)),
            }
        };
        let read = |name: &str| String::from_utf8_lossy(&fs::read(self.directory.join(name)).unwrap()).into_owned();
        (status, read("stdout"), read("stderr"))
    }

    /// Ends the whole process group. `kill` is bash's own: not every machine has one outside.
    fn end_all(&self) {
        let kill = format!("kill -KILL -- -{} 2> /dev/null", self.child.id());
        let _ = Command::new("bash").args(["-c", &kill]).status();
        thread::sleep(Duration::from_millis(50));
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        self.end_all();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// The real binary, built as `./test clients` builds it.
fn binary() -> PathBuf {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--locked", "--workspace", "--bin", "countersign", "--message-format=json"])
        .current_dir(repository::root())
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo runs");
    assert!(built.status.success(), "the binary does not build");
    let printed = String::from_utf8(built.stdout).expect("cargo prints UTF-8");
    let messages = printed.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let mut binaries = messages.filter_map(|message| message["executable"].as_str().map(PathBuf::from));
    let binary = binaries.find(|path| path.file_name() == Some(Path::new("countersign").as_os_str()));
    binary.expect("cargo names the binary that it built")
}

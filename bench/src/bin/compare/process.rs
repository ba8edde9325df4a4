//! Processes under test: started on their cores, found again with all that they start, ended by their number.

use std::fs::File;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::kernel;

/// A running process, ended when it is dropped.
pub struct Process {
    child: Child,
    /// The cores it may run on.
    pub cores: String,
}

impl Process {
    /// Starts a command on these cores, and waits until it listens. What it says goes to a file.
    pub fn start(command: &Command, cores: &str, output: &Path, listens: SocketAddr) -> Self {
        // One that an earlier run left behind would answer in its place.
        assert!(TcpStream::connect(listens).is_err(), "somebody listens on {listens} already");
        let file = File::create(output).unwrap_or_else(|e| panic!("{}: {e}", output.display()));
        let mut pinned = Command::new("taskset");
        pinned.args(["-c", cores]).arg(command.get_program()).args(command.get_args());
        pinned.stdin(Stdio::null()).stdout(file.try_clone().expect("a file")).stderr(file);
        let child = pinned.spawn().unwrap_or_else(|e| panic!("taskset: {e}"));
        let mut process = Self { child, cores: cores.to_owned() };
        let started = Instant::now();
        while TcpStream::connect(listens).is_err() {
            if process.child.try_wait().ok().flatten().is_some() || started.elapsed() > Duration::from_secs(20) {
                panic!("{} does not serve: see {}", command.get_program().display(), output.display());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        process
    }

    /// Its own number and those of what it started.
    pub fn numbers(&self) -> Vec<u32> {
        kernel::family(self.child.id())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        let started = Instant::now();
        while self.child.try_wait().ok().flatten().is_none() {
            if started.elapsed() > Duration::from_secs(10) {
                let _ = self.child.kill();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

//! A real Redis on a free port, with its files in a directory of its own, ended when it is dropped.
#![allow(dead_code, unreachable_pub, reason = "each test that includes it uses a part of it")]

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub struct RedisServer {
    pub port: u16,
    dir: tempfile::TempDir,
    arguments: Vec<String>,
    child: Child,
}

impl RedisServer {
    /// Keeps nothing on disk.
    pub fn start() -> Self {
        Self::with(&["--save", "", "--appendonly", "no"])
    }

    /// With these arguments beside the port and the directory.
    pub fn with(arguments: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let port = free_port();
        let arguments: Vec<String> = arguments.iter().map(|it| (*it).to_owned()).collect();
        let child = launch(port, &dir, &arguments);
        let server = Self { port, dir, arguments, child };
        server.wait();
        server
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Ends it at once, as a power cut would.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it anew, with what it finds in its directory.
    pub fn restart(&mut self) {
        self.child = launch(self.port, &self.dir, &self.arguments);
        self.wait();
    }

    /// `-STOP`, `-CONT`.
    pub fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Carries out a command; the answer as it came, errors with their `-`.
    pub fn ask(&self, command: &[&str]) -> String {
        self.try_ask(command).unwrap()
    }

    fn try_ask(&self, command: &[&str]) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let mut text = format!("*{}\r\n", command.len());
        for part in command {
            text.push_str(&format!("${}\r\n{part}\r\n", part.len()));
        }
        stream.write_all(text.as_bytes())?;
        read_answer(&mut BufReader::new(stream))
    }

    fn wait(&self) {
        let end = Instant::now() + Duration::from_secs(20);
        while !self.try_ask(&["PING"]).is_ok_and(|answer| answer == "+PONG" || answer.starts_with("-NOAUTH")) {
            assert!(Instant::now() < end, "redis-server does not answer; its log is in {}", self.dir.path().display());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn launch(port: u16, dir: &tempfile::TempDir, arguments: &[String]) -> Child {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(dir.path().join("log")).unwrap();
    Command::new("redis-server")
        .args([
            "--port",
            &port.to_string(),
            "--bind",
            "127.0.0.1",
            "--daemonize",
            "no",
            "--repl-diskless-sync-delay",
            "0",
            "--dir",
        ])
        .arg(dir.path())
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-server has to be there: sudo apt-get install redis-server")
}

/// Such that the port that Redis Cluster adds 10000 to is one as well.
pub fn free_port() -> u16 {
    loop {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        if port < 55_000 && TcpListener::bind(("127.0.0.1", port + 10_000)).is_ok() {
            return port;
        }
    }
}

fn read_answer(from: &mut impl BufRead) -> std::io::Result<String> {
    let mut line = String::new();
    from.read_line(&mut line)?;
    let line = line.trim_end().to_owned();
    let count = |text: &str| text.parse::<usize>().ok();
    if let Some(length) = line.strip_prefix('$').and_then(count) {
        let mut bytes = vec![0; length + 2];
        from.read_exact(&mut bytes)?;
        return Ok(String::from_utf8_lossy(&bytes[..length]).into_owned());
    }
    if let Some(items) = line.strip_prefix('*').and_then(count) {
        let items: std::io::Result<Vec<_>> = (0..items).map(|_| read_answer(from)).collect();
        return Ok(items?.join("\n"));
    }
    if line.is_empty() { Err(std::io::ErrorKind::UnexpectedEof.into()) } else { Ok(line) }
}

//! A gateway that runs, an API behind it, and requests as bytes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::Dir;

/// An API that answers with the request it got.
pub fn upstream() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || drop(echo(stream.unwrap())));
        }
    });
    address
}

fn echo(mut stream: TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let (mut request, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            request.push_str(&line);
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        request.push_str(&String::from_utf8_lossy(&body));
        // In one piece: the second of two would wait for the acknowledgement of the first, which others delay by 40 ms.
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{request}", request.len());
        stream.write_all(answer.as_bytes())?;
    }
}

/// A gateway in a process of its own; killed when it is dropped.
pub struct Gateway {
    pub address: SocketAddr,
    pub admin: SocketAddr,
    child: Child,
}

impl Gateway {
    /// Starts `countersign gateway` and waits until it says where it listens.
    #[track_caller]
    pub fn start(dir: &Dir) -> Self {
        Self::started(dir, dir.command("gateway"))
    }

    /// The same by a command of one's own.
    #[track_caller]
    pub fn started(dir: &Dir, mut command: Command) -> Self {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(dir.path("log")).unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut address = |what: &str| -> SocketAddr {
            let line = lines.next().unwrap_or_else(|| panic!("no line: {}", dir.read("log"))).unwrap();
            let line = line.strip_prefix(what).unwrap_or_else(|| panic!("{line}")).trim();
            line.split_once("://").unwrap().1.split([',', '/']).next().unwrap().parse().unwrap()
        };
        let (address, admin) = (address("gateway"), address("admin"));
        std::thread::spawn(move || lines.for_each(drop));
        Self { address, admin, child }
    }

    /// One whose `spool_dir = "small"` takes 1 MiB. Where no file system can be mounted for it, no file of it grows beyond that.
    pub fn on_a_small_disk(dir: &Dir) -> Self {
        const MOUNT: &str = "mount -t tmpfs -o size=1m tmpfs small && exec \"$0\" gateway";
        const LIMIT: &str = "trap '' XFSZ; ulimit -f 2048; exec \"$0\" gateway";
        std::fs::create_dir(dir.path("small")).unwrap();
        let unshare = |more: &[&str], then: &str| {
            let mut command = Command::new("unshare");
            command.arg("--mount").args(more).args(["sh", "-c", then, env!("CARGO_BIN_EXE_countersign")]);
            command.current_dir(dir.here());
            command
        };
        for more in [&[][..], &["--map-root-user"]] {
            let works = unshare(more, "mount -t tmpfs -o size=1m tmpfs small").output();
            if works.is_ok_and(|output| output.status.success()) {
                return Self::started(dir, unshare(more, MOUNT));
            }
        }
        let mut command = Command::new("sh");
        command.args(["-c", LIMIT, env!("CARGO_BIN_EXE_countersign")]).current_dir(dir.here());
        Self::started(dir, command)
    }

    /// The most memory that it ever had, in bytes: its peak resident set.
    pub fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        1024 * line.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
    }

    /// The CPU time that it has taken so far, of all threads, in steps of 10 ms.
    pub fn cpu_time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        // Behind the name, which may hold blanks: utime and stime are fields 14 and 15 of proc(5).
        let fields = stat.rsplit_once(')').unwrap().1.split_whitespace().skip(11).take(2);
        Duration::from_millis(10 * fields.map(|ticks| ticks.parse::<u64>().unwrap()).sum::<u64>())
    }

    /// How many files, sockets among them, it has open.
    pub fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }

    /// Ends it with a signal, and says which code it exits with.
    pub fn end(self, signal: &str) -> Option<i32> {
        self.signal(signal);
        self.wait()
    }

    /// Waits until it ends by itself, and says which code it exits with.
    pub fn wait(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    pub fn signal(&self, signal: &str) {
        let kill = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(kill.unwrap().success());
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Status and body of the answer to these bytes.
#[track_caller]
pub fn send(to: SocketAddr, request: &str) -> (u16, String) {
    let (status, _, body) = send_for_head(to, request);
    (status, body)
}

/// Status, head and body of the answer to these bytes.
#[track_caller]
pub fn send_for_head(to: SocketAddr, request: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or(("", ""));
    (status.unwrap_or_else(|| panic!("no answer: {answer:?}")), head.to_ascii_lowercase(), body.to_owned())
}

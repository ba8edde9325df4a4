//! Who plays in a restart: a gateway's directory, callers, and the other side of a hand-over.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::time::Duration;

use crate::load::Sender;
use crate::support::Dir;
use crate::support::gateway::Gateway;

/// A gateway's directory, and who sends to it.
pub(crate) struct Stage {
    pub(crate) dir: Dir,
    sender: Sender,
}

impl Stage {
    /// A gateway's directory; two workers, so that there are two sockets and two queues.
    pub(crate) fn new(upstream: SocketAddr, limits: &str) -> Self {
        let dir = Dir::new();
        dir.write(
            "countersign.toml",
            &format!(
                "[gateway]\nlisten = [\"127.0.0.1:0\"]\nworkers = 2\n{limits}\n[admin]\nlisten = \"127.0.0.1:0\"\n\n[[route]]\n\
                 path = \"/orders\"\nupstream = \"http://{upstream}\"\n"
            ),
        );
        dir.fine("partner add acme");
        dir.fine("key generate --algorithm ed25519 --out acme.key");
        dir.fine("key add --partner acme --id acme-1 --scheme http-message-signatures --algorithm ed25519 --public-key acme.key.pub");
        let sender = Sender::new(dir.read("acme.key").as_bytes(), "acme-1");
        Self { dir, sender }
    }

    /// A process that takes over from the one that serves.
    pub(crate) fn next(&self) -> Gateway {
        Gateway::started(&self.dir, self.dir.command("gateway --take-over"))
    }

    /// A signed request on a connection of its own.
    pub(crate) fn request(&self, to: SocketAddr) -> String {
        closing(&self.sender.request(to, "/orders", "{}"))
    }
}

fn closing(request: &str) -> String {
    request.replacen("\r\n", "\r\nConnection: close\r\n", 1)
}

/// The status of an answer, or what went wrong on the way to it.
pub(crate) fn ask(to: SocketAddr, request: &str) -> Result<u16, String> {
    let words = |what: &'static str| move |fault: std::io::Error| format!("{what}: {fault}");
    let mut stream = TcpStream::connect(to).map_err(words("connect"))?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(request.as_bytes()).map_err(words("write"))?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(words("read"))?;
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or(format!("answered \"{answer}\""))
}

/// An API that answers with the first half at once, and with the second when it is told to.
pub(crate) fn slow() -> (SocketAddr, mpsc::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, (tell, told)) = (listener.local_addr().unwrap(), mpsc::channel());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        drop(stream.read(&mut [0; 4096]));
        drop(stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf"));
        let _ = told.recv();
        drop(stream.write_all(b"done"));
    });
    (address, tell)
}

/// The side of a process that takes over, as far as a test wants to go.
pub(crate) struct Successor(BufReader<UnixStream>);

impl Successor {
    pub(crate) fn begin(stage: &Stage) -> Self {
        let stream = UnixStream::connect(stage.dir.path("countersign-data/handover.sock")).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut successor = Self(BufReader::new(stream));
        successor.say("countersign take-over 1 4711");
        assert!(successor.hear().contains("\"sockets\":2"));
        successor
    }

    pub(crate) fn say(&mut self, line: &str) {
        writeln!(self.0.get_mut(), "{line}").unwrap();
    }

    pub(crate) fn hear(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end().trim_start_matches('+').to_owned()
    }
}

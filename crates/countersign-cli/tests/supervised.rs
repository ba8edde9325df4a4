//! What a service manager hears of a gateway.

mod support;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

use support::Dir;
use support::gateway::{Gateway, upstream};

struct Ear(UnixDatagram);

impl Ear {
    /// The next message that is no sign of life.
    fn next(&self) -> String {
        loop {
            let message = self.any();
            if message != "WATCHDOG=1" {
                return message;
            }
        }
    }

    fn any(&self) -> String {
        let mut message = [0; 4096];
        let length = self.0.recv(&mut message).expect("the service manager waits in vain");
        String::from_utf8(message[..length].to_vec()).unwrap()
    }
}

fn started() -> (Dir, Ear, Gateway) {
    let dir = Dir::new();
    dir.write(
        "countersign.toml",
        &format!(
            "[gateway]\nlisten = [\"127.0.0.1:0\"]\n[admin]\nlisten = \"127.0.0.1:0\"\n[[route]]\npath = \"/orders\"\nupstream = \
             \"http://{}\"\n",
            upstream()
        ),
    );
    let socket = UnixDatagram::bind(dir.path("notify")).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut command = dir.command("gateway");
    command.env("NOTIFY_SOCKET", dir.path("notify")).env("WATCHDOG_USEC", "200000");
    let gateway = Gateway::started(&dir, command);
    (dir, Ear(socket), gateway)
}

#[test]
fn ready_reloading_alive_and_stopping() {
    let (dir, ear, gateway) = started();
    let ready = ear.next();
    assert!(ready.starts_with("READY=1\nMAINPID=") && ready.ends_with("\nSTATUS=serving 1 route"), "{ready}");
    let signs = (0..4).map(|_| ear.any()).filter(|message| message == "WATCHDOG=1").count();
    assert_eq!(signs, 4);

    let uptime = || rustix::time::clock_gettime(rustix::time::ClockId::Monotonic).tv_sec;
    let before = uptime();
    gateway.signal("-HUP");
    let reloading = ear.next();
    let micros = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").and_then(|rest| rest.split('\n').next());
    let seconds = micros.unwrap_or_else(|| panic!("{reloading}")).parse::<i64>().unwrap() / 1_000_000;
    assert!((before..=uptime()).contains(&seconds), "{seconds}");
    assert!(ear.next().starts_with("READY=1\n"));

    let config = dir.read("countersign.toml");
    dir.write("countersign.toml", &config.replace("/orders", "orders"));
    gateway.signal("-HUP");
    assert!(ear.next().starts_with("RELOADING=1\n"));
    let ready = ear.next();
    assert!(
        ready.starts_with("READY=1\n") && ready.contains("STATUS=serving the last good configuration: "),
        "{ready}"
    );
    assert_eq!(ready.lines().count(), 3, "{ready}");

    gateway.signal("-TERM");
    assert!(ear.next().starts_with("STOPPING=1\n"));
    assert_eq!(gateway.wait(), Some(0));
}

#[test]
fn nothing_is_told_before_it_serves_and_nothing_where_nobody_listens() {
    let dir = Dir::new();
    let socket = UnixDatagram::bind(dir.path("notify")).unwrap();
    dir.write("countersign.toml", "[[route]]\npath = \"orders\"\n");
    let mut command = dir.command("gateway");
    command.env("NOTIFY_SOCKET", dir.path("notify"));
    assert_eq!(command.output().unwrap().status.code(), Some(2));
    socket.set_nonblocking(true).unwrap();
    assert!(socket.recv(&mut [0; 10]).is_err());

    let (dir, ear, gateway) = started();
    assert!(ear.next().starts_with("READY=1\n"));
    drop(ear);
    gateway.signal("-HUP");
    assert_eq!(gateway.end("-TERM"), Some(0), "a service manager that is gone stops nobody: {}", dir.read("log"));
}

/// What systemd does with a .socket unit: it listens, and hands the socket to one process after the other.
#[test]
fn callers_wait_at_a_socket_of_the_service_manager_while_one_process_ends_and_the_next_begins() {
    let dir = Dir::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    dir.write(
        "countersign.toml",
        &format!(
            "[gateway]\nlisten = [\"{address}\"]\nworkers = 2\n[admin]\nlisten = \"127.0.0.1:0\"\n[[route]]\npath = \"/orders\"\n\
             upstream = \"http://{}\"\n",
            upstream()
        ),
    );
    let start = || {
        let mut shell = Command::new("sh");
        shell.args(["-c", "exec 3<&0 0</dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" gateway"]);
        shell.arg(env!("CARGO_BIN_EXE_countersign")).current_dir(dir.here());
        shell.stdin(OwnedFd::from(listener.try_clone().unwrap()));
        Gateway::started(&dir, shell)
    };
    let ask = move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"GET /orders HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\n\r\n").unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    };
    let answer = |mut stream: TcpStream| {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    for _ in 0..3 {
        let gateway = start();
        assert_eq!(gateway.address, address);
        assert!(answer(ask()).starts_with("HTTP/1.1 401 "));
        let meanwhile = std::thread::spawn(ask);
        assert_eq!(gateway.end("-TERM"), Some(0));
        let waiting = [ask(), ask(), meanwhile.join().unwrap()];
        let gateway = start();
        for stream in waiting {
            assert!(answer(stream).starts_with("HTTP/1.1 401 "));
        }
        assert_eq!(gateway.end("-TERM"), Some(0));
    }
}

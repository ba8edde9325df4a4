//! Callers and origin, in one thread around one poll: together they take less of their core than any proxy takes of its own, so
//! that it is the proxy that is busy.

mod caller;
mod origin;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

use crate::frame;
use caller::Caller;
use origin::answer;

/// The origin, which answers whatever comes, and the callers of the contender at hand.
pub struct Field {
    poll: Poll,
    events: Events,
    listener: TcpListener,
    peers: Vec<Option<Peer>>,
    buffer: Vec<u8>,
    /// Whether it looks for what came all the time, and never sleeps. A proxy's write wakes who sleeps on the other core, by an
    /// interrupt that a virtual machine pays dearly for: so who is slower finds more of them asleep, and pays for that, too.
    pub awake: bool,
    /// Requests that the origin got, and those among them that name a partner; counted while `watching`.
    pub watching: bool,
    pub arrived: usize,
    pub with_partner: usize,
}

enum Peer {
    /// A connection from a proxy to the origin, and what came of a request so far.
    Origin(TcpStream, Vec<u8>),
    Caller(Box<Caller>),
}

/// What came of a batch of requests.
#[derive(Debug, Default)]
pub struct Tally {
    /// Answers with 200.
    pub good: usize,
    /// Other statuses, in the order in which they came.
    pub other: Vec<u16>,
    /// From the first request to the last answer.
    pub elapsed: Duration,
}

impl Field {
    /// An origin that listens on `address`.
    pub fn new(address: SocketAddr) -> Self {
        let poll = Poll::new().expect("a poll");
        let mut listener = TcpListener::bind(address).unwrap_or_else(|e| panic!("{address}: {e}"));
        poll.registry().register(&mut listener, ORIGIN, Interest::READABLE).expect("the listener");
        Self {
            poll,
            events: Events::with_capacity(1024),
            listener,
            peers: Vec::new(),
            buffer: vec![0; 64 << 10],
            awake: false,
            watching: false,
            arrived: 0,
            with_partner: 0,
        }
    }

    /// Connects so many callers, through their handshake where there is one. False where one of them was turned away.
    pub fn connect(&mut self, to: SocketAddr, tls: Option<&Arc<ClientConfig>>, count: usize) -> bool {
        for _ in 0..count {
            // Blocking on purpose: the kernel's queue of those who connect is not what is measured.
            let stream = std::net::TcpStream::connect(to).unwrap_or_else(|e| panic!("{to}: {e}"));
            stream.set_nodelay(true).expect("no delay");
            stream.set_nonblocking(true).expect("not blocking");
            let tls = tls.map(|config| {
                let name = ServerName::try_from("localhost").expect("a name");
                ClientConnection::new(Arc::clone(config), name).expect("a client")
            });
            let caller = Caller::new(TcpStream::from_std(stream), tls);
            let token = self.place();
            let mut caller = Box::new(caller);
            self.poll.registry().register(&mut caller.stream, token, BOTH).expect("a caller");
            if !caller.flush() {
                return false;
            }
            self.peers[token.0] = Some(Peer::Caller(caller));
        }
        while self.callers().any(|caller| caller.tls.as_ref().is_some_and(|tls| tls.is_handshaking())) {
            if self.turn(&mut |_, _| {}).is_err() {
                return false;
            }
        }
        true
    }

    /// Sends `count` requests, of `messages` in turn, each caller one at a time.
    ///
    /// # Errors
    /// In words where a caller was turned away.
    pub fn send(&mut self, messages: &[Vec<u8>], count: usize) -> Result<Tally, String> {
        let started = Instant::now();
        let mut sent = 0;
        let mut tally = Tally::default();
        let mut next = || {
            let message = (sent < count).then(|| &messages[sent % messages.len()][..]);
            sent += usize::from(message.is_some());
            message
        };
        for peer in &mut self.peers {
            if let Some(Peer::Caller(caller)) = peer
                && let Some(message) = next()
                && !caller.send(message)
            {
                return Err("a caller was turned away".to_owned());
            }
        }
        while tally.good + tally.other.len() < count {
            self.turn(&mut |caller, status| {
                if status == 200 {
                    tally.good += 1;
                } else {
                    tally.other.push(status);
                }
                if let Some(message) = next() {
                    caller.send(message);
                }
            })?;
        }
        tally.elapsed = started.elapsed();
        Ok(tally)
    }

    /// Every caller sends one request, a few at a time.
    ///
    /// # Errors
    /// As [`Field::send`].
    pub fn send_once_each(&mut self, message: &[u8]) -> Result<(), String> {
        let callers: Vec<usize> =
            (0..self.peers.len()).filter(|&at| matches!(self.peers[at], Some(Peer::Caller(_)))).collect();
        for few in callers.chunks(16) {
            let mut answered = 0;
            for &at in few {
                if let Some(Peer::Caller(caller)) = &mut self.peers[at] {
                    caller.send(message);
                }
            }
            while answered < few.len() {
                self.turn(&mut |_, _| answered += 1)?;
            }
        }
        Ok(())
    }

    /// Lets the callers go.
    pub fn disconnect(&mut self) {
        for peer in &mut self.peers {
            if matches!(peer, Some(Peer::Caller(_))) {
                *peer = None;
            }
        }
    }

    /// Answers what proxies send of themselves for a while: health checks, and connections that they close.
    pub fn rest(&mut self, time: Duration) {
        let until = Instant::now() + time;
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            if self.poll.poll(&mut self.events, Some(left)).is_ok() {
                let _ = self.take_events(&mut |_, _| {});
            }
        }
    }

    fn callers(&self) -> impl Iterator<Item = &Caller> {
        self.peers.iter().filter_map(|peer| match peer {
            Some(Peer::Caller(caller)) => Some(&**caller),
            _ => None,
        })
    }

    fn place(&mut self) -> Token {
        let at = self.peers.iter().position(Option::is_none).unwrap_or(self.peers.len());
        if at == self.peers.len() {
            self.peers.push(None);
        }
        Token(at)
    }

    fn turn(&mut self, answered: &mut dyn FnMut(&mut Caller, u16)) -> Result<(), String> {
        let until = Instant::now() + STUCK;
        loop {
            let sleep = if self.awake { Duration::ZERO } else { STUCK };
            self.poll.poll(&mut self.events, Some(sleep)).map_err(|e| e.to_string())?;
            if !self.events.is_empty() {
                return self.take_events(answered);
            }
            if Instant::now() > until {
                return Err("no answer in time".to_owned());
            }
        }
    }

    fn take_events(&mut self, answered: &mut dyn FnMut(&mut Caller, u16)) -> Result<(), String> {
        let mut newcomers = false;
        for event in &self.events {
            if event.token() == ORIGIN {
                newcomers = true;
                continue;
            }
            let place = &mut self.peers[event.token().0];
            match place {
                Some(Peer::Origin(stream, came)) => {
                    let open = answer(stream, came, &mut self.buffer, |head| {
                        if self.watching {
                            self.arrived += 1;
                            self.with_partner += usize::from(frame::field(head, b"countersign-partner:").is_some());
                        }
                    });
                    if !open {
                        *place = None;
                    }
                }
                Some(Peer::Caller(caller)) => {
                    if !caller.flush() {
                        return Err("a caller was turned away".to_owned());
                    }
                    while (caller.waiting || caller.tls.is_some())
                        && let Some(status) = caller.hear(&mut self.buffer)?
                    {
                        answered(caller, status);
                        if caller.tls.is_none() {
                            // One answer at a time: what it did not read at once is not there yet.
                            break;
                        }
                    }
                }
                None => {}
            }
        }
        if newcomers {
            self.accept();
        }
        Ok(())
    }

    fn accept(&mut self) {
        while let Ok((mut stream, _)) = self.listener.accept() {
            let _ = stream.set_nodelay(true);
            let token = self.place();
            self.poll.registry().register(&mut stream, token, Interest::READABLE).expect("a connection");
            self.peers[token.0] = Some(Peer::Origin(stream, Vec::new()));
        }
    }
}

const ORIGIN: Token = Token(usize::MAX - 1);
const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);
const STUCK: Duration = Duration::from_secs(20);

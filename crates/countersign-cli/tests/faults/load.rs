//! A steady load of good requests, as a partner with a connection pool sends them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use countersign::{Draft, Form, Head, Origin, Scheme, SigningKey, Timestamp};

/// What signs, for as many threads as want to.
#[derive(Clone)]
pub(crate) struct Sender {
    key: Arc<SigningKey>,
    id: &'static str,
}

impl Sender {
    pub(crate) fn new(key_file: &[u8], id: &'static str) -> Self {
        Self { key: Arc::new(SigningKey::from_file(key_file, Scheme::HttpMessageSignatures, None).unwrap()), id }
    }

    /// A request that was never sent before, with its signature.
    pub(crate) fn request(&self, host: SocketAddr, target: &str, body: &str) -> String {
        static NONCE: AtomicU64 = AtomicU64::new(0);
        let origin = Origin::new(false, &host.to_string()).unwrap();
        let head = Head::request(http::Method::POST, target, origin, http::HeaderMap::new(), true).unwrap();
        let mut draft = Draft::new(head, Form::new(Scheme::HttpMessageSignatures, self.id));
        draft.push(body.as_bytes());
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let nonce = format!("{}-{}", now.as_nanos(), NONCE.fetch_add(1, Relaxed));
        let now = Timestamp::from_millis(i64::try_from(now.as_millis()).unwrap());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let signed = runtime.block_on(draft.finish(&nonce, now).unwrap().sign(&*self.key)).unwrap();
        let mut request = format!("POST {target} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {}\r\n", body.len());
        for (name, value) in signed.headers() {
            request += &format!("{name}: {}\r\n", value.to_str().unwrap());
        }
        request + "\r\n" + body
    }
}

/// Threads that send good requests until they are told to end.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Vec<Duration>>>,
    faults: Arc<Mutex<Vec<String>>>,
}

/// What became of a load.
pub(crate) struct Outcome {
    pub(crate) latencies: Vec<Duration>,
    pub(crate) faults: Vec<String>,
}

impl Load {
    /// So many requests a second on a few connections, in turn to each of `gateways`, each with an order of its own.
    pub(crate) fn start(sender: &Sender, gateways: &[SocketAddr], target: &'static str, rate: u32) -> Self {
        let (stop, faults) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let pause = Duration::from_secs(1) * CONNECTIONS / rate;
        let threads = (0..CONNECTIONS as usize)
            .map(|number| {
                let (stop, faults, sender) = (Arc::clone(&stop), Arc::clone(&faults), sender.clone());
                let mut gateways = gateways.to_vec();
                let turn = number % gateways.len();
                gateways.rotate_left(turn);
                std::thread::spawn(move || send_on(&stop, &faults, &sender, &gateways, target, pause))
            })
            .collect();
        Self { stop, threads, faults }
    }

    pub(crate) fn end(self) -> Outcome {
        self.stop.store(true, Relaxed);
        let latencies = self.threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        Outcome { latencies, faults: std::mem::take(&mut *self.faults.lock().unwrap()) }
    }
}

impl Outcome {
    /// The latency that so many of a hundred do not exceed.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let mut all = self.latencies.clone();
        all.sort();
        all.get((all.len() * percent / 100).min(all.len().saturating_sub(1))).copied().unwrap_or_default()
    }
}

fn send_on(
    stop: &AtomicBool,
    faults: &Mutex<Vec<String>>,
    sender: &Sender,
    gateways: &[SocketAddr],
    target: &str,
    pause: Duration,
) -> Vec<Duration> {
    let mut latencies = Vec::new();
    let mut connections: Vec<Option<BufReader<TcpStream>>> = gateways.iter().map(|_| None).collect();
    let mut due = Instant::now();
    for number in 0.. {
        if stop.load(Relaxed) {
            break;
        }
        let order =
            format!("{{\"order\": {}, \"lines\": [{{\"sku\": \"A-1\", \"count\": 2}}]}}", ORDER.fetch_add(1, Relaxed));
        let began = Instant::now();
        let mut outcome = Err(std::io::ErrorKind::NotConnected.into());
        // Where nobody listens nothing was sent, and the next one is asked.
        for turn in 0..gateways.len() {
            let turn = (number + turn) % gateways.len();
            outcome = exchange(&mut connections[turn], sender, gateways[turn], target, &order);
            if !outcome.as_ref().is_err_and(|fault| fault.kind() == std::io::ErrorKind::ConnectionRefused) {
                break;
            }
        }
        match outcome {
            Ok(200) => latencies.push(began.elapsed()),
            Ok(status) => faults.lock().unwrap().push(status.to_string()),
            Err(fault) => faults.lock().unwrap().push(fault.to_string()),
        }
        due = (due + pause).max(Instant::now());
        std::thread::sleep(due - Instant::now());
    }
    latencies
}

/// One request on a connection that is kept. Where the gateway has closed that meanwhile and said nothing, a new one is opened,
/// and the request signed anew, as any pool does it.
fn exchange(
    connection: &mut Option<BufReader<TcpStream>>,
    sender: &Sender,
    gateway: SocketAddr,
    target: &str,
    body: &str,
) -> std::io::Result<u16> {
    if let Some(kept) = connection
        && let Ok(Some((status, keep))) = ask(kept, &sender.request(gateway, target, body))
    {
        if !keep {
            *connection = None;
        }
        return Ok(status);
    }
    let stream = TcpStream::connect(gateway)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut fresh = BufReader::new(stream);
    let answer = ask(&mut fresh, &sender.request(gateway, target, body))?;
    let (status, keep) =
        answer.ok_or_else(|| std::io::Error::other("a new connection was closed without an answer"))?;
    *connection = keep.then_some(fresh);
    Ok(status)
}

/// Status, and whether the connection goes on; `None` where it was closed before the first byte.
fn ask(stream: &mut BufReader<TcpStream>, request: &str) -> std::io::Result<Option<(u16, bool)>> {
    stream.get_mut().write_all(request.as_bytes())?;
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return if head.is_empty() { Ok(None) } else { Err(std::io::ErrorKind::UnexpectedEof.into()) };
        }
        line.make_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(std::io::Error::other)?;
        }
        if line == "\r\n" {
            break;
        }
        head += &line;
    }
    stream.read_exact(&mut vec![0; length])?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| std::io::Error::other(format!("no answer: {head}")))?;
    Ok(Some((status, !head.contains("connection: close"))))
}

/// No two orders are alike.
static ORDER: AtomicU64 = AtomicU64::new(0);

const CONNECTIONS: u32 = 4;
const PATIENCE: Duration = Duration::from_secs(20);

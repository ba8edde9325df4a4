//! Bodies that are larger than what the gateway may take of memory, and a disk that has no room for them.

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{OnceLock, mpsc};
use std::time::{Duration, Instant, SystemTime};

use countersign::{
    AppHmacForm, Draft, Form, Head, Layout, NonceForm, Origin, Scheme, SigningKey, Timestamp, TimestampUnit,
};
use http::{HeaderMap, Method};
use support::Dir;
use support::gateway::{Gateway, send};

const BLOCK: usize = 1 << 20;
const SECRET: &[u8] = b"a secret of the app, and of us";

/// The nth mebibyte of a body: no two are alike.
fn block(number: usize) -> Vec<u8> {
    static PATTERN: OnceLock<Vec<u8>> = OnceLock::new();
    let pattern =
        PATTERN.get_or_init(|| (0..BLOCK).map(|at| (at.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0]).collect());
    let mut block = pattern.clone();
    for page in (0..BLOCK).step_by(4096) {
        block[page..page + 8].copy_from_slice(&(number as u64).to_le_bytes());
    }
    block
}

/// An API that reads bodies of such blocks, and tells of each that it came as it was sent.
fn api() -> (SocketAddr, mpsc::Receiver<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, (tell, told)) = (listener.local_addr().unwrap(), mpsc::channel());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let tell = tell.clone();
            std::thread::spawn(move || drop(take(&stream.unwrap(), &tell)));
        }
    });
    (address, told)
}

fn take(stream: &TcpStream, tell: &mpsc::Sender<usize>) -> std::io::Result<()> {
    let mut reader = BufReader::with_capacity(BLOCK, stream);
    loop {
        let (mut line, mut length, mut boundary) = (String::new(), 0, None);
        while line != "\r\n" {
            line.clear();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if let Some((_, value)) = line.trim_end().split_once("multipart/form-data; boundary=") {
                boundary = Some(value.to_owned());
            }
        }
        // Around the file of a form stands what is not told of.
        let mut around = Vec::new();
        if let Some(boundary) = boundary {
            while !around.ends_with(b"application/octet-stream\r\n\r\n") {
                reader.read_until(b'\n', &mut around)?;
            }
            assert!(around.starts_with(format!("--{boundary}\r\n").as_bytes()));
            length -= around.len() + format!("\r\n--{boundary}--\r\n").len();
            around = format!("\r\n--{boundary}--\r\n").into_bytes();
        }
        let mut part = vec![0; BLOCK];
        for (number, at) in (0..length).step_by(BLOCK).enumerate() {
            let part = &mut part[..BLOCK.min(length - at)];
            reader.read_exact(part)?;
            assert!(*part == block(number)[..part.len()], "mebibyte {number} is another one");
        }
        let mut behind = vec![0; around.len()];
        reader.read_exact(&mut behind)?;
        assert_eq!(behind, around);
        let _ = tell.send(length);
        let mut stream = stream;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")?;
    }
}

fn deployment(api: SocketAddr, gateway: &str) -> (Dir, SigningKey) {
    let dir = Dir::new();
    let config = format!(
        "[gateway]\nlisten = [\"127.0.0.1:0\"]\nworkers = 1\nbody_timeout = \"10m\"\n{gateway}\n[admin]\nlisten = \
         \"127.0.0.1:0\"\n\n[[route]]\npath = \"/orders\"\nupstream = \"http://{api}\"\nmax_body = \"2GiB\"\nschemes = [\"http-message-signatures\", \"app-hmac\"]\n\n[[route]]\n\
         path = \"/forms\"\nupstream = \"http://{api}\"\nmax_body = \"2GiB\"\nschemes = [\"pki\"]\n"
    );
    dir.write("countersign.toml", &config);
    dir.fine("partner add acme");
    dir.fine("key generate --algorithm ed25519 --out acme.key");
    dir.fine("key add --partner acme --id acme-1 --scheme http-message-signatures --algorithm ed25519 --public-key acme.key.pub");
    dir.fine("key generate --algorithm rsa-pss-sha256 --bits 2048 --out pki.key");
    dir.fine("key add --partner acme --id acme-pki --scheme pki --algorithm rsa-pss-sha256 --public-key pki.key.pub");
    dir.write_bytes("secret", SECRET);
    dir.fine("key add --partner acme --id app-1 --scheme app-hmac --algorithm hmac-sha256 --secret-file secret --not-after 2099-01-01T00:00:00Z");
    let key = SigningKey::from_file(&std::fs::read(dir.path("acme.key")).unwrap(), Scheme::HttpMessageSignatures, None);
    (dir, key.unwrap())
}

/// Signs and sends a body of so many bytes, as fast as it is taken. What comes back.
fn upload(to: SocketAddr, key: &SigningKey, nonce: &str, length: usize) -> String {
    upload_as(Form::new(Scheme::HttpMessageSignatures, "acme-1"), to, key, nonce, length)
}

fn upload_as(form: Form, to: SocketAddr, key: &SigningKey, nonce: &str, length: usize) -> String {
    let blocks = || (0..length).step_by(BLOCK).enumerate().map(|(number, at)| (number, BLOCK.min(length - at)));
    let origin = Origin::new(false, &to.to_string()).unwrap();
    let head = Head::request(Method::POST, "/orders?a=b", origin, HeaderMap::new(), true).unwrap();
    let mut draft = Draft::new(head, form);
    blocks().for_each(|(number, size)| draft.push(&block(number)[..size]));
    let now = Timestamp::from_millis(i64::try_from(since_epoch().as_millis()).unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let signed = runtime.block_on(draft.finish(nonce, now).unwrap().sign(key)).unwrap();
    let mut request =
        format!("POST /orders?a=b HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\nContent-Length: {length}\r\n");
    for (name, value) in signed.headers() {
        request += &format!("{name}: {}\r\n", value.to_str().unwrap());
    }
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
    stream.write_all((request + "\r\n").as_bytes()).unwrap();
    // Who is refused in the middle may be told so before all is sent.
    let _ = blocks().try_for_each(|(number, size)| stream.write_all(&block(number)[..size]));
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

/// A form with a file of so many bytes. This sender has to hold it, to sign it.
fn upload_form(to: SocketAddr, key: &SigningKey, length: usize) -> String {
    let now = Timestamp::from_millis(i64::try_from(since_epoch().as_millis()).unwrap());
    let field =
        |name: &str, text: &str| format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n");
    let mut body = (field("timestamp", &now.as_secs().to_string()) + &field("message_id", "m-1")).into_bytes();
    body.extend_from_slice(b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"large.bin\"\r\n");
    body.extend_from_slice(b"Content-Type: application/octet-stream\r\n\r\n");
    for (number, at) in (0..length).step_by(BLOCK).enumerate() {
        body.extend_from_slice(&block(number)[..BLOCK.min(length - at)]);
    }
    body.extend_from_slice(b"\r\n--b--\r\n");
    let origin = Origin::new(false, &to.to_string()).unwrap();
    let content_type = "multipart/form-data; boundary=b".parse().unwrap();
    let headers = HeaderMap::from_iter([(http::header::CONTENT_TYPE, content_type)]);
    let head = Head::request(Method::POST, "/forms", origin, headers, true).unwrap();
    let mut draft = Draft::new(head, Form::new(Scheme::Pki, "acme-pki"));
    draft.push(&body);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let signed = runtime.block_on(draft.finish("not used", now).unwrap().sign(key)).unwrap();
    let mut request = format!(
        "POST /forms HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\nContent-Type: multipart/form-data; boundary=b\r\n\
         Content-Length: {}\r\n",
        body.len()
    );
    for (name, value) in signed.headers() {
        request += &format!("{name}: {}\r\n", value.to_str().unwrap());
    }
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
    stream.write_all((request + "\r\n").as_bytes()).unwrap();
    let _ = stream.write_all(&body);
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap()
}

#[test]
fn a_body_larger_than_its_memory_goes_through_a_gateway_as_it_is() {
    let length = std::env::var("LARGE_BODY_BYTES").map_or(256 << 20, |length| length.parse().unwrap());
    let (api, told) = api();
    let (dir, key) = deployment(api, "spool_space = \"3GiB\"");
    let gateway = Gateway::start(&dir);
    let started = Instant::now();
    let answer = upload(gateway.address, &key, "a nonce of this test", length);
    let (took, peak) = (started.elapsed(), gateway.peak_memory());
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}\n{}", dir.read("log"));
    assert_eq!(told.try_recv(), Ok(length));
    println!("{} MiB in {took:.1?}, with {} MiB of memory at most", length >> 20, peak >> 20);
    assert!(peak < 64 << 20, "the gateway took {} MiB", peak >> 20);

    // Where the body itself is signed, it passes as well: this sender holds it, so it is a smaller one.
    let layout = Layout::MethodFirst;
    let app_hmac = Some(AppHmacForm { layout, unit: TimestampUnit::Seconds, nonce: NonceForm::Hex8 });
    let form = Form { app_hmac, ..Form::new(Scheme::AppHmac, "app-1") };
    let secret = SigningKey::from_file(SECRET, Scheme::AppHmac, None).unwrap();
    let answer = upload_as(form, gateway.address, &secret, "another nonce of this test", length / 2);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}\n{}", dir.read("log"));
    assert_eq!(told.try_recv(), Ok(length / 2));
    let peak = gateway.peak_memory();
    println!("{} MiB under app-hmac, with {} MiB of memory at most", length >> 21, peak >> 20);
    assert!(peak < 64 << 20, "the gateway took {} MiB", peak >> 20);
    // A form, of which the file alone is large: it is built anew around what lies in the file.
    let pki = SigningKey::from_file(&std::fs::read(dir.path("pki.key")).unwrap(), Scheme::Pki, None).unwrap();
    let answer = upload_form(gateway.address, &pki, length);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}\n{}", dir.read("log"));
    assert_eq!(told.try_recv(), Ok(length));
    let peak = gateway.peak_memory();
    println!("{} MiB in a form under pki, with {} MiB of memory at most", length >> 20, peak >> 20);
    assert!(peak < 64 << 20, "the gateway took {} MiB", peak >> 20);
    assert_eq!(std::fs::read_dir(dir.path("countersign-data/spool")).unwrap().count(), 0);
}

#[test]
fn a_full_disk_is_503_for_whoever_needs_it_and_nothing_for_the_others() {
    let (api, told) = api();
    let (dir, key) = deployment(api, "spool_dir = \"small\"");
    let gateway = Gateway::on_a_small_disk(&dir);
    std::thread::scope(|scope| {
        let large = |nonce: usize| {
            let (address, key) = (gateway.address, &key);
            scope.spawn(move || upload(address, key, &format!("nonce {nonce} of a large body"), 3 << 20))
        };
        let failing: Vec<_> = (0..4).map(large).collect();
        for number in 0..50 {
            let answer = upload(gateway.address, &key, &format!("nonce {number} of a small body"), 64 << 10);
            assert!(answer.starts_with("HTTP/1.1 200 "), "{number}: {answer}");
        }
        for failed in failing {
            let answer = failed.join().unwrap().to_ascii_lowercase();
            assert!(answer.starts_with("http/1.1 503 ") && answer.contains("\r\nretry-after: "), "{answer}");
        }
    });
    assert_eq!(told.try_iter().collect::<Vec<_>>(), [64 << 10; 50]);
    let answer = upload(gateway.address, &key, "nonce of a body that fits", 600_000);
    assert!(answer.starts_with("HTTP/1.1 200 "), "the space was not given back: {answer}");
    let log = dir.read("log");
    assert!(log.contains("No space left on device") || log.contains("File too large"), "{log}");
    let metrics = format!("GET /metrics HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", gateway.admin);
    let (_, metrics) = send(gateway.admin, &metrics);
    assert!(metrics.contains("countersign_spool_failures_total 4\n"), "{metrics}");
    assert!(metrics.contains("countersign_requests_total{route=\"/orders\",code=\"unavailable\"} 4\n"), "{metrics}");
}

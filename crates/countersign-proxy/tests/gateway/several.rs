//! Several upstreams behind one route: who is asked, who is left out, and what goes out a second time.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use countersign::Origin;
use countersign_proxy::{HealthCheck, Limits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::client::ask;
use crate::operation::admin;
use crate::stage::{Setting, Stage};
use crate::upstream::Upstream;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A gateway before all of these.
fn before(upstreams: &[SocketAddr], first: Upstream, health: Option<HealthCheck>, limits: Limits) -> Stage {
    let stage = Stage::before(first, Setting { limits, workers: 1, ..Setting::default() });
    let mut settings = stage.settings.clone();
    settings.routes[0].upstream =
        upstreams.iter().map(|address| Origin::parse(&format!("http://{address}")).unwrap()).collect();
    settings.routes[0].health = health;
    stage.control.reload(&settings).unwrap();
    stage
}

/// An address where nobody listens.
async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

async fn get(stage: &Stage) -> u16 {
    ask(stage.address, &stage.partner.get("/orders").bytes().await).await.status
}

async fn post(stage: &Stage) -> u16 {
    ask(stage.address, &stage.partner.post("/orders", "x").bytes().await).await.status
}

async fn metrics(stage: &Stage) -> String {
    admin(stage, "/metrics").await.body
}

fn line(name: &str, upstream: SocketAddr, more: &str, value: u64) -> String {
    format!("{name}{{route=\"orders\",upstream=\"http://{upstream}\"{more}}} {value}\n")
}

#[tokio::test]
async fn requests_go_to_all_of_them_in_turn() {
    let (one, other) = (Upstream::echo().await, Upstream::echo().await);
    let stage = before(&[one.address, other.address], one.clone(), None, Limits::default());
    for _ in 0..10 {
        assert_eq!(get(&stage).await, 200);
    }
    assert_eq!((one.requests(), other.requests()), (5, 5));
    let metrics = metrics(&stage).await;
    for upstream in [&one, &other] {
        let answered = ",outcome=\"answered\"";
        assert!(
            metrics.contains(&line("countersign_upstream_requests_total", upstream.address, answered, 5)),
            "{metrics}"
        );
        assert!(metrics.contains(&line("countersign_upstream_up", upstream.address, "", 1)), "{metrics}");
    }
}

#[tokio::test]
async fn an_upstream_that_is_gone_costs_no_request_not_even_a_post_and_comes_back() {
    let (gone, there) = (nobody().await, Upstream::echo().await);
    let stage = before(&[gone, there.address], there.clone(), None, Limits::default());
    for _ in 0..10 {
        assert_eq!(post(&stage).await, 200);
    }
    assert_eq!(there.requests(), 10, "and none twice");
    let text = metrics(&stage).await;
    assert!(text.contains(&line("countersign_upstream_up", gone, "", 0)), "{text}");
    assert!(
        text.contains(&line("countersign_upstream_retries_total", gone, "", 1)),
        "left out after the first: {text}"
    );
    let ready = admin(&stage, "/readyz").await;
    assert_eq!(
        (ready.status, ready.json()["upstreams_down"][0]["upstream"].as_str()),
        (200, Some(&*format!("http://{gone}")))
    );

    // It listens again: a probe finds it within its backoff, and no request has to.
    let listener = TcpListener::bind(gone).await.unwrap();
    let back = Upstream::echo_on(listener);
    let started = Instant::now();
    while metrics(&stage).await.contains(&line("countersign_upstream_up", gone, "", 0)) {
        assert!(started.elapsed() < Duration::from_secs(6));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for _ in 0..4 {
        assert_eq!(post(&stage).await, 200);
    }
    assert_eq!(back.requests(), 2);
    assert!(admin(&stage, "/readyz").await.json().get("upstreams_down").is_none());
}

#[tokio::test]
async fn an_order_is_never_placed_at_two_upstreams() {
    // Takes the request and breaks off without a word.
    let (breaks, good) = (Upstream::scripted(&[""]).await, Upstream::scripted(&[OK]).await);
    let stage = before(&[breaks.address, good.address], good.clone(), None, Limits::default());
    let answer = ask(stage.address, &stage.partner.post("/orders", "x").bytes().await).await;
    assert_eq!((answer.code().as_str(), answer.status), ("upstream_failed", 502));
    assert_eq!((breaks.requests(), good.requests()), (1, 0));
    assert_eq!(get(&stage).await, 200);
    assert_eq!(get(&stage).await, 200, "what is idempotent goes on to the other");
    assert_eq!((breaks.requests(), good.requests()), (2, 2));
}

#[tokio::test]
async fn what_is_idempotent_goes_out_twice_at_most() {
    let all = [Upstream::scripted(&[""]).await, Upstream::scripted(&[""]).await, Upstream::scripted(&[""]).await];
    let addresses: Vec<_> = all.iter().map(|upstream| upstream.address).collect();
    let stage = before(&addresses, all[0].clone(), None, Limits::default());
    assert_eq!(get(&stage).await, 502);
    assert_eq!(all.iter().map(Upstream::requests).sum::<usize>(), 2);
}

#[tokio::test]
async fn silence_is_a_timeout_and_goes_out_nowhere_else() {
    let (slow, good) = (Upstream::dribble(1, Duration::from_secs(60)).await, Upstream::scripted(&[OK]).await);
    let hung = Upstream::silent().await;
    let limits = Limits {
        response_time: Duration::from_millis(300),
        silence_time: Duration::from_millis(300),
        ..Limits::default()
    };
    let stage = before(&[hung.address, good.address], good.clone(), None, limits.clone());
    let answer = ask(stage.address, &stage.partner.get("/orders").bytes().await).await;
    assert_eq!((answer.code().as_str(), answer.status), ("upstream_timeout", 504));
    assert_eq!(good.requests(), 0);
    // An answer that begins and falls silent breaks off.
    let stage = before(&[slow.address], good.clone(), None, limits);
    let started = Instant::now();
    let all = crate::client::send(stage.address, &stage.partner.get("/orders").bytes().await).await;
    assert!(String::from_utf8_lossy(&all).starts_with("HTTP/1.1 200 ") && !all.ends_with(b"x"));
    assert!(started.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn a_hung_upstream_is_left_out_although_no_caller_waits_to_the_end() {
    let (hung, good) = (Upstream::silent().await, Upstream::echo().await);
    let stage = before(&[hung.address, good.address], good.clone(), None, Limits::default());
    let down = line("countersign_upstream_up", hung.address, "", 0);
    let started = Instant::now();
    // Each leaves after less than what counts alone, by a reset.
    while !metrics(&stage).await.contains(&down) {
        assert!(started.elapsed() < Duration::from_secs(20), "{}", metrics(&stage).await);
        let mut stream = TcpStream::connect(stage.address).await.unwrap();
        stream.set_zero_linger().unwrap();
        stream.write_all(&stage.partner.get("/orders").bytes().await).await.unwrap();
        let _ = timeout(Duration::from_millis(700), stream.read(&mut [0])).await;
        drop(stream);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let text = metrics(&stage).await;
    let none = line("countersign_upstream_requests_total", hung.address, ",outcome=\"abandoned\"", 0);
    assert!(!text.contains(&none), "{text}");
    assert!(admin(&stage, "/readyz").await.body.contains("callers left without an answer"));
}

#[tokio::test]
async fn a_health_check_leaves_out_who_says_that_it_is_not_well() {
    let ill = Upstream::scripted(&["HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"]).await;
    let well = Upstream::echo().await;
    let check = HealthCheck { path: "/health".to_owned(), interval: Duration::from_millis(100) };
    let stage = before(&[ill.address, well.address], well.clone(), Some(check), Limits::default());
    let started = Instant::now();
    while !metrics(&stage).await.contains(&line("countersign_upstream_up", ill.address, "", 0)) {
        assert!(started.elapsed() < Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for _ in 0..6 {
        assert_eq!(get(&stage).await, 200);
    }
    let ready = admin(&stage, "/readyz").await.body;
    assert!(ready.contains("/health: 503"), "{ready}");
}

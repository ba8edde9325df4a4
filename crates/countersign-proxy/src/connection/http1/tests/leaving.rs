//! Callers that leave while their answer is awaited.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use tokio::sync::Semaphore;

use super::*;

/// Answers when it is let, and counts what was begun and what is still at hand.
#[derive(Clone)]
struct Waiting {
    begun: Arc<AtomicUsize>,
    at_hand: Arc<()>,
    go: Arc<Semaphore>,
}

impl Waiting {
    fn serve() -> (Self, DuplexStream, watch::Sender<bool>) {
        let waiting = Self { begun: Arc::default(), at_hand: Arc::default(), go: Arc::new(Semaphore::new(0)) };
        let (client, server) = duplex(256);
        let (stop, stopping) = watch::channel(false);
        tokio::spawn(connection::serve(server, None, waiting.clone(), stopping));
        (waiting, client, stop)
    }

    async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let held = async {
            while !holds(self) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        assert!(timeout(Duration::from_secs(10), held).await.is_ok(), "{what}");
    }

    async fn until_begun(&self, count: usize) {
        self.until("it was not begun", |it| it.begun.load(SeqCst) == count).await;
    }

    /// The connection holds one, and each request under way another.
    async fn until_left(&self) {
        self.until("it goes on", |it| Arc::strong_count(&it.at_hand) == 1).await;
    }
}

impl Front for Waiting {
    fn limits(&self) -> Limits {
        limits()
    }

    fn connections(&self, _: i64) {}

    async fn answer(self, _: Option<IpAddr>, mut opening: Opening) -> Response<Reply> {
        let mut said = format!("{} {}", opening.method, opening.target);
        while let Ok(Some(part)) = opening.body.next(Pace::of(&Limits::default())).await {
            said += &format!(" +{}", String::from_utf8_lossy(&part));
        }
        opening.awaited.begin();
        self.begun.fetch_add(1, SeqCst);
        self.go.acquire().await.unwrap().forget();
        Response::new(Reply::own(said))
    }

    fn refuse(&self, fault: Fault) -> String {
        fault.answer("")
    }
}

const REQUESTS: [&str; 3] = [
    "GET / HTTP/1.1\r\n\r\n",
    "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
    "POST / HTTP/1.0\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\nabc",
];

#[tokio::test]
async fn who_leaves_while_the_answer_is_awaited_ends_what_was_begun_for_it() {
    for request in REQUESTS {
        let (waiting, mut client, _stop) = Waiting::serve();
        client.write_all(request.as_bytes()).await.unwrap();
        waiting.until_begun(1).await;
        // It waits for as long as the caller does.
        assert!(timeout(limits().idle_time * 2, client.read_u8()).await.is_err());
        drop(client);
        waiting.until_left().await;
    }
}

#[tokio::test]
async fn who_closes_its_side_has_a_moment_for_its_answer_and_is_then_taken_for_one_that_left() {
    let (waiting, mut client, _stop) = Waiting::serve();
    client.write_all(REQUESTS[0].as_bytes()).await.unwrap();
    waiting.until_begun(1).await;
    client.shutdown().await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    waiting.go.add_permits(1);
    assert!(next(&mut client).await.ends_with("GET /"));
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0);

    let (waiting, mut client, _stop) = Waiting::serve();
    client.write_all(REQUESTS[0].as_bytes()).await.unwrap();
    waiting.until_begun(1).await;
    client.shutdown().await.unwrap();
    waiting.until_left().await;
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
}

#[tokio::test]
async fn what_is_sent_ahead_is_answered_in_its_turn_and_not_read_without_bound() {
    let (waiting, mut client, _stop) = Waiting::serve();
    client.write_all(REQUESTS[1].as_bytes()).await.unwrap();
    waiting.until_begun(1).await;
    client.write_all(b"GET /next HTTP/1.1\r\n\r\n").await.unwrap();
    waiting.go.add_permits(1);
    assert!(next(&mut client).await.ends_with("POST / +abc"));
    waiting.until_begun(2).await;
    let flood = [b'x'; 2000];
    assert!(timeout(Duration::from_millis(100), client.write_all(&flood)).await.is_err(), "all of it was read");
    waiting.go.add_permits(1);
    assert!(next(&mut client).await.ends_with("GET /next"));
}

#[tokio::test]
async fn who_leaves_behind_what_it_sent_ahead_is_answered_first() {
    let (waiting, mut client, _stop) = Waiting::serve();
    client.write_all(REQUESTS[0].as_bytes()).await.unwrap();
    waiting.until_begun(1).await;
    client.write_all(b"GET /next HTTP/1.1\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    client.shutdown().await.unwrap();
    waiting.go.add_permits(1);
    assert!(next(&mut client).await.ends_with("GET /"));
    waiting.until_left().await;
}

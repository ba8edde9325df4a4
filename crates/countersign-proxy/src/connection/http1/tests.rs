mod ending;
mod leaving;
mod turns;

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::arrival::Opening;
use crate::connection;
use crate::framing::Fault;
use crate::front::Front;
use crate::pace::Pace;
use crate::reply::Reply;
use crate::settings::Limits;

fn limits() -> Limits {
    Limits {
        head_bytes: 1000,
        head_fields: 10,
        head_time: Duration::from_millis(50),
        idle_time: Duration::from_millis(300),
        write_time: Duration::from_millis(50),
        ..Limits::default()
    }
}

/// Says what it was asked: method, target, fields, body and trailers. What is asked of `/unread` it does not read.
#[derive(Clone)]
struct Echo;

impl Front for Echo {
    fn limits(&self) -> Limits {
        limits()
    }

    fn connections(&self, _: i64) {}

    async fn answer(self, _: Option<IpAddr>, opening: Opening) -> Response<Reply> {
        let Opening { method, target, headers, mut body, .. } = opening;
        let mut said = format!("{method} {target}");
        for (name, value) in &headers {
            said += &format!(" {name}={}", String::from_utf8_lossy(value.as_bytes()));
        }
        if target.starts_with("/later") {
            // As an upstream that answers before it has read: the body is read on beside the answer.
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(10)).await;
                let _ = body.next(Pace::of(&Limits::default())).await;
            });
            return Response::new(Reply::own(vec![b'x'; 1000]));
        }
        if target.starts_with("/unread") {
            body.leave();
            return Response::new(Reply::own(said));
        }
        loop {
            match body.next(Pace::of(&Limits::default())).await {
                Ok(Some(part)) => said += &format!(" +{}", String::from_utf8_lossy(&part)),
                Ok(None) => break,
                Err(fault) => {
                    said += &format!(" {}", fault.code());
                    break;
                }
            }
        }
        for (name, value) in &body.take_trailers() {
            said += &format!(" then {name}={}", String::from_utf8_lossy(value.as_bytes()));
        }
        Response::new(Reply::own(if target == "/long" { Bytes::from(vec![b'x'; 20_000]) } else { said.into() }))
    }

    fn refuse(&self, fault: Fault) -> String {
        fault.answer("")
    }
}

fn serve() -> (DuplexStream, watch::Sender<bool>) {
    let (client, server) = duplex(256);
    let (stop, stopping) = watch::channel(false);
    tokio::spawn(connection::serve(server, None, Echo, stopping));
    (client, stop)
}

/// All that is answered to these bytes.
async fn answers(bytes: &[u8]) -> String {
    let (client, _stop) = serve();
    let (mut reading, mut writing) = tokio::io::split(client);
    let mut heard = Vec::new();
    let (written, read) = tokio::join!(
        async {
            let written = writing.write_all(bytes).await;
            let _ = writing.shutdown().await;
            written
        },
        timeout(Duration::from_secs(10), reading.read_to_end(&mut heard)),
    );
    drop(written);
    read.expect("the connection ends").unwrap();
    String::from_utf8(heard).unwrap()
}

/// The bodies of answers that have one.
fn bodies(answers: &str) -> Vec<&str> {
    answers.split("\r\n\r\n").skip(1).map(|body| body.split("HTTP/1.1 ").next().unwrap()).collect()
}

/// Reads an answer: its head, and as much of a body as that says.
async fn next(client: &mut DuplexStream) -> String {
    let mut heard = Vec::new();
    while !heard.ends_with(b"\r\n\r\n") {
        heard.push(timeout(Duration::from_secs(10), client.read_u8()).await.expect("silence").unwrap());
    }
    let head = String::from_utf8(heard).unwrap();
    let length =
        head.split("content-length: ").nth(1).map_or(0, |rest| rest.split('\r').next().unwrap().parse().unwrap());
    let mut body = vec![0; length];
    client.read_exact(&mut body).await.unwrap();
    head + &String::from_utf8(body).unwrap()
}

#[tokio::test]
async fn what_came_before_a_fault_is_answered_and_nothing_after_it() {
    let all = answers(b"GET /a HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nX : y\r\n\r\nGET /evil HTTP/1.1\r\n\r\n").await;
    assert_eq!(bodies(&all), ["GET /a", ""]);
    assert!(all.contains("\r\n\r\nGET /aHTTP/1.1 400 ") && !all.contains("evil"), "{all}");
}

#[tokio::test]
async fn messages_that_come_at_once_are_answered_in_their_order() {
    let all = answers(
        b"\r\nGET /a?b=c HTTP/1.1\r\nX:  y z\t\r\nEmpty:\r\n\r\nPOST /d HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc\
          POST /e HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\nX: y\r\n\r\nGET /f HTTP/1.1\r\n\r\n",
    )
    .await;
    assert_eq!(
        bodies(&all),
        [
            "GET /a?b=c x=y z empty=",
            "POST /d content-length=3 +abc",
            "POST /e transfer-encoding=chunked +abc +d then x=y",
            "GET /f"
        ]
    );
    assert_eq!(all.matches("\r\ndate: ").count(), 4);
    assert!(!all.contains("connection:"), "{all}");
}

#[tokio::test]
async fn whatever_the_reads_the_message_is_the_same() {
    let message = b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n3\r\nabc\r\n0\r\nX: z\r\n\r\n";
    for size in 1..message.len() {
        let (mut client, _stop) = serve();
        for part in message.chunks(size) {
            client.write_all(part).await.unwrap();
            tokio::task::yield_now().await;
        }
        let said = next(&mut client).await;
        let body = said.split("\r\n\r\n").nth(1).unwrap().replace(" +", "");
        assert_eq!(body, "POST /a transfer-encoding=chunked x=yabc then x=z", "in reads of {size}");
    }
}

#[tokio::test]
async fn a_slow_head_is_told_so_and_silence_is_an_end() {
    let (mut client, _stop) = serve();
    client.write_all(b"GET / HT").await.unwrap();
    let mut heard = String::new();
    client.read_to_string(&mut heard).await.unwrap();
    assert!(heard.starts_with("HTTP/1.1 408 "), "{heard}");

    let (mut client, _stop) = serve();
    let started = Instant::now();
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
    assert!(started.elapsed() < limits().idle_time, "a caller that never speaks is heard no longer than a slow one");
}

#[tokio::test]
async fn a_head_that_dribbles_has_no_more_time_than_one_that_stops() {
    let (client, _stop) = serve();
    let (mut reading, mut writing) = tokio::io::split(client);
    let dribble = tokio::spawn(async move {
        for byte in b"GET /dribble HTTP/1.1\r\n" {
            if writing.write_all(&[*byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        writing
    });
    let started = Instant::now();
    let mut heard = [0; 12];
    reading.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"HTTP/1.1 408");
    assert!(started.elapsed() < Duration::from_millis(150));
    dribble.abort();
}

#[tokio::test]
async fn between_messages_there_is_more_time() {
    let (mut client, _stop) = serve();
    for _ in 0..2 {
        client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        assert!(next(&mut client).await.ends_with("GET /"));
        assert!(timeout(Duration::from_millis(100), client.read_u8()).await.is_err());
    }
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
}

#[tokio::test]
async fn a_body_is_timed_by_who_reads_it_alone() {
    let (mut client, _stop) = serve();
    client.write_all(b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nab").await.unwrap();
    assert!(timeout(Duration::from_millis(400), client.read_u8()).await.is_err());
    client.write_all(b"c").await.unwrap();
    assert!(next(&mut client).await.ends_with("POST / content-length=3 +ab +c"));
}

#[tokio::test]
async fn a_caller_that_does_not_take_the_answer_is_cut_off() {
    let (mut client, _stop) = serve();
    client.write_all(b"GET /long HTTP/1.1\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mut heard = Vec::new();
    client.read_to_end(&mut heard).await.unwrap();
    assert!(heard.len() < 1000, "{}", heard.len());
}

#[tokio::test]
async fn the_last_words_arrive_although_the_caller_still_speaks() {
    let (mut client, _stop) = serve();
    client.write_all(b"BAD\n").await.unwrap();
    client.write_all(&[b'x'; 2000]).await.unwrap();
    let mut last = String::new();
    client.read_to_string(&mut last).await.unwrap();
    assert!(last.starts_with("HTTP/1.1 400 "), "{last}");
}

#[tokio::test]
async fn who_waits_to_be_asked_is_asked_when_the_body_is_read_and_not_before() {
    let (mut client, _stop) = serve();
    client.write_all(b"POST / HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n").await.unwrap();
    assert_eq!(next(&mut client).await, "HTTP/1.1 100 Continue\r\n\r\n");
    client.write_all(b"abc").await.unwrap();
    assert!(next(&mut client).await.ends_with("+abc"));
    // Nobody reads it, so nobody asks for it, and it can't be told from another request.
    client.write_all(b"POST /unread HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n").await.unwrap();
    assert!(next(&mut client).await.starts_with("HTTP/1.1 200 "));
    client.write_all(b"GET /smuggled HTTP/1.1\r\n\r\n").await.unwrap();
    let mut rest = String::new();
    client.read_to_string(&mut rest).await.unwrap();
    assert!(!rest.contains("GET /smuggled"), "{rest}");
}

#[tokio::test]
async fn nobody_is_asked_for_a_body_in_the_middle_of_an_answer() {
    let (mut client, _stop) = serve();
    client.write_all(b"POST /later HTTP/1.1\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(30)).await;
    // What comes then is not taken for the rest of the body, and thrown away, nor for another request.
    client.write_all(b"GET /smuggled HTTP/1.1\r\n\r\n").await.unwrap();
    let mut all = String::new();
    let ended = timeout(Duration::from_secs(10), client.read_to_string(&mut all)).await;
    ended.expect("it goes on").unwrap();
    assert_eq!(bodies(&all), ["x".repeat(1000)], "{all}");
}

#[tokio::test]
async fn a_short_body_that_nobody_read_is_no_request_and_a_long_one_ends_the_connection() {
    let smuggled = "GET /smuggled HTTP/1.1\r\n\r\n";
    let short = format!(
        "POST /unread HTTP/1.1\r\nContent-Length: {}\r\n\r\n{smuggled}GET /next HTTP/1.1\r\n\r\n",
        smuggled.len()
    );
    let all = answers(short.as_bytes()).await;
    assert_eq!(bodies(&all), ["POST /unread content-length=26", "GET /next"]);
    let long = format!("POST /unread HTTP/1.1\r\nContent-Length: 100000\r\n\r\n{smuggled}{smuggled}");
    assert_eq!(answers(long.as_bytes()).await.matches("HTTP/1.1 ").count(), 1);
    let chunks =
        "POST /unread HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n";
    assert_eq!(answers(chunks.as_bytes()).await.matches("HTTP/1.1 ").count(), 1);
}

#[tokio::test]
async fn a_connection_lasts_as_long_as_both_sides_say() {
    for (head, persists) in [
        ("GET / HTTP/1.1\r\nConnection: close\r\n\r\n", false),
        ("GET / HTTP/1.1\r\nConnection: x, Close\r\n\r\n", false),
        ("GET / HTTP/1.1\r\nConnection: closed\r\n\r\n", true),
        ("GET / HTTP/1.0\r\n\r\n", false),
        ("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true),
    ] {
        let all = answers(format!("{head}GET /next HTTP/1.1\r\n\r\n").as_bytes()).await;
        assert_eq!(all.contains("/next"), persists, "{head:?}: {all}");
        assert_eq!(all.contains("connection: close"), !persists, "{head:?}: {all}");
    }
}

#[tokio::test]
async fn the_answer_to_head_has_a_length_and_no_body() {
    let all = answers(b"HEAD /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n").await;
    assert_eq!(bodies(&all), ["", "GET /b"]);
}

//! Mistakes 28 and 29 from the other side: what an upstream answers, and what of it may become part of another answer.

use http::HeaderValue;
use http_body_util::BodyExt;

use crate::client::{Answer, ask, send};
use crate::frames::{self, Connection, DATA, END_HEADERS, END_STREAM, HEADERS};
use crate::stage::{Setting, Stage};
use crate::upstream::Upstream;

async fn before(script: Vec<String>) -> Stage {
    let script: Vec<&'static str> = script.into_iter().map(|answer| &*answer.leak()).collect();
    Stage::before(Upstream::scripted(script.leak()).await, Setting { workers: 1, ..Setting::default() })
}

async fn answer(stage: &Stage) -> Answer {
    ask(stage.address, &stage.partner.get("/orders").bytes().await).await
}

#[tokio::test]
async fn an_answer_framed_in_a_way_that_is_not_known_is_the_upstreams_failure() {
    let chunks = "5\r\nabcde\r\n0\r\n\r\n";
    for head in [
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, identity",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5",
        "HTTP/1.1 200 OK\r\nContent-Length: 5, 5",
        "HTTP/1.1 200 OK\r\nContent-Length: +5",
        "HTTP/1.1 200 OK\r\nContent-Length: -5",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999",
        "HTTP/1.1 200 OK\r\nContent-Length : 5",
        "HTTP/1.1 200 OK\r\nX: a\r\n folded: b\r\nContent-Length: 5",
        "HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 5",
        "HTTP/1.1 200 OK\r\nX: a\rContent-Length: 5",
        "HTTP/1.1 abc\r\nContent-Length: 5",
        "not HTTP at all",
    ] {
        let stage = before(vec![format!("{head}\r\n\r\n{chunks}")]).await;
        let answer = answer(&stage).await;
        assert_eq!((answer.status, answer.code().as_str()), (502, "upstream_failed"), "{head:?}: {answer:?}");
    }
}

#[tokio::test]
async fn a_body_where_none_can_be_is_never_the_answer_to_another_request() {
    let poison = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison";
    let good = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood";
    for (method, first) in [
        ("HEAD", format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{poison}", poison.len())),
        ("GET", format!("HTTP/1.1 204 No Content\r\n\r\n{poison}")),
        ("GET", format!("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n{poison}")),
        ("GET", format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n{poison}")),
        ("GET", format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{poison}")),
        ("GET", format!("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno{poison}")),
    ] {
        let shown = first.clone();
        let stage = before(vec![first, good.to_owned()]).await;
        let all = send(stage.address, &stage.partner.get("/orders").method(method).bytes().await).await;
        assert!(!String::from_utf8_lossy(&all).contains("poison"), "{shown:?}");
        for _ in 0..2 {
            let answer = answer(&stage).await;
            assert_eq!((answer.status, answer.body.as_str()), (200, "good"), "after {shown:?}");
        }
    }
}

#[tokio::test]
async fn answers_on_the_way_are_not_the_answer() {
    let early = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n";
    let stage = before(vec![format!("{early}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood")]).await;
    for _ in 0..2 {
        let answer = answer(&stage).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "good"));
    }
}

const TRAILERS: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum, countersign-partner, set-cookie\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 6\r\nCountersign-Partner: mallory\r\nCountersign_Key: mallory\r\nSet-Cookie: mallory\r\nContent-Length: 9\r\nTransfer-Encoding: mallory\r\nContent-Digest: sha-256=:AA==:\r\n\r\n";

#[tokio::test]
async fn trailers_of_an_answer_go_on_where_they_are_asked_for_and_can_say_nothing_that_is_ours() {
    let stage = before(vec![TRAILERS.to_owned()]).await;
    let request = stage.partner.get("/orders").sign().await.with("TE", "trailers").with("Connection", "TE");
    let all = String::from_utf8(send(stage.address, &request.bytes()).await).unwrap().to_ascii_lowercase();
    assert!(all.ends_with("3\r\nabc\r\n0\r\nx-sum: 6\r\n\r\n"), "{all}");
    assert!(!all.contains("mallory"), "{all}");
    // Who did not say that it takes them gets none, and the same body.
    let all = send(stage.address, &stage.partner.get("/orders").bytes().await).await;
    assert!(String::from_utf8_lossy(&all).ends_with("3\r\nabc\r\n0\r\n\r\n"), "{}", String::from_utf8_lossy(&all));

    let (mut sender, request) = crate::http2::signed(&stage, &stage.partner.get("/orders")).await;
    let answer = sender.send_request(request).await.unwrap().into_body().collect().await.unwrap();
    let trailers = answer.trailers().unwrap();
    let mut names: Vec<_> = trailers.keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["content-digest", "x-sum"]);
    assert_eq!(trailers["x-sum"], HeaderValue::from_static("6"));
    assert_eq!(answer.to_bytes(), "abc");
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_no_whole_one_over_http_2() {
    for cut in [
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this(close)",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nonly this\r\n(close)",
    ] {
        let stage = before(vec![cut.to_owned()]).await;
        let mut connection = Connection::open(&stage).await;
        let head = frames::block(&frames::fields(&stage.partner.get("/orders")).await);
        connection.send(&[frames::frame(HEADERS, END_STREAM | END_HEADERS, 1, &head)]).await;
        loop {
            let (kind, flags, stream, _) = connection.next().await.expect("the connection stays");
            if stream == 1 && kind == frames::RST_STREAM {
                break;
            }
            assert!(!(stream == 1 && matches!(kind, DATA | HEADERS) && flags & END_STREAM != 0), "it looks whole");
        }
    }
}

#[tokio::test]
async fn nothing_is_decompressed_on_the_way() {
    let stage = Stage::start().await;
    // The digest is that of the bytes on the wire, whatever they would be once unpacked.
    let message = stage.partner.post("/orders", "\u{1f}not really gzip").field("Content-Encoding", "gzip");
    let answer = ask(stage.address, &message.bytes().await).await;
    let echo = answer.json();
    assert_eq!((answer.status, echo["body"].as_str()), (200, Some("\u{1f}not really gzip")));
    assert_eq!(crate::admitted::arrived(&echo, "content-encoding"), ["gzip"]);
}

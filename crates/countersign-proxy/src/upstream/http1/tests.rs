use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;
use crate::sent::Sent;

const LIMIT: Duration = Duration::from_secs(5);
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn request(method: Method, body: &'static str) -> Request<Sent> {
    let mut request = Request::new(Sent::Kept(Bytes::from_static(body.as_bytes()), HeaderMap::new()));
    *request.method_mut() = method;
    *request.uri_mut() = "/a?b".parse().unwrap();
    if !body.is_empty() {
        request.headers_mut().insert("content-length", HeaderValue::from(body.len()));
    }
    request
}

fn message(method: Method, body: &'static str) -> Message {
    Message::of(request(method, body)).unwrap()
}

/// A connection, and its other end.
fn connection() -> (Http1, DuplexStream) {
    let (near, far) = duplex(64 << 10);
    (Http1::new(Box::new(near)), far)
}

/// All of an answer: its body, and its trailers as text.
async fn rest(connection: &mut Http1) -> io::Result<(String, String)> {
    let (mut body, mut trailers) = (Vec::new(), String::new());
    while let Some(frame) = poll_fn(|cx| connection.poll_content(cx)).await {
        match frame?.into_data() {
            Ok(data) => body.extend_from_slice(&data),
            Err(frame) => trailers = format!("{:?}", frame.into_trailers().unwrap()),
        }
    }
    Ok((String::from_utf8(body).unwrap(), trailers))
}

/// What comes of a whole answer that arrives in parts of this size, after which the other side says no more, or leaves.
async fn answered(
    method: Method,
    answer: &str,
    size: usize,
    leaves: bool,
) -> Result<(Response<()>, io::Result<(String, String)>, bool), Unanswered> {
    let (mut connection, mut far) = connection();
    let answer = answer.to_owned();
    let upstream = tokio::spawn(async move {
        for part in answer.as_bytes().chunks(size) {
            let _ = far.write_all(part).await;
            tokio::task::yield_now().await;
        }
        if leaves { None } else { Some(far) }
    });
    let head = connection.exchange(&mut message(method, ""), Duration::from_millis(200)).await?;
    let body = tokio::time::timeout(Duration::from_millis(200), rest(&mut connection)).await;
    let body = body.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    let _far = upstream.await.unwrap();
    let reusable = body.is_ok() && connection.is_reusable() && connection.is_silent();
    Ok((head, body, reusable))
}

#[tokio::test]
async fn a_request_leaves_in_one_piece_with_a_small_body_and_is_answered() {
    let (mut connection, mut far) = connection();
    for (method, body, head) in [
        (Method::POST, "abc", "POST /a?b HTTP/1.1\r\ncontent-length: 3\r\n\r\nabc"),
        (Method::GET, "", "GET /a?b HTTP/1.1\r\n\r\n"),
    ] {
        far.write_all(OK.as_bytes()).await.unwrap();
        let answer = connection.exchange(&mut message(method, body), LIMIT).await.map_err(|error| error.fault).unwrap();
        assert_eq!((answer.status().as_u16(), connection.take_whole().as_deref()), (200, Some(&b"ok"[..])));
        assert!(connection.is_reusable() && connection.is_silent());
        let mut came = [0; 200];
        let count = far.read(&mut came).await.unwrap();
        assert_eq!(std::str::from_utf8(&came[..count]).unwrap(), head);
    }
}

#[tokio::test]
async fn answers_are_read_the_same_in_reads_of_any_size() {
    let none = "";
    for (answer, body, trailers, stays) in [
        (OK, "ok", none, true),
        ("HTTP/1.1 200\r\ncontent-length:0\r\n\r\n", "", none, true),
        ("HTTP/1.1 200 OK\r\nContent-Length: \t2 \r\nX:\r\nY: \x7f\r\n\r\nok".trim_matches('\u{0}'), "!", none, false),
        ("HTTP/1.1 404 Gone fishing\r\nConnection: a, Close\r\nContent-Length: 2\r\n\r\nok", "ok", none, false),
        ("HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok", "ok", none, false),
        ("HTTP/1.1 200 OK\r\n\r\nuntil the end", "until the end", none, false),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "ok", none, true),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nok\r\n0\r\nX-Sum: 6\r\n\r\n",
            "ok",
            "{\"x-sum\": \"6\"}",
            true,
        ),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 E\r\nLink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
            "",
            none,
            true,
        ),
        ("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", "", none, true),
        ("HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n", "", none, true),
    ] {
        if body == "!" {
            // DEL is no byte of a field.
            assert!(answered(Method::GET, answer, 1000, true).await.is_err());
            continue;
        }
        for size in [1, 2, 7, 1000] {
            let leaves = !answer.contains("ength") && !answer.contains("hunked") && !answer.contains("204");
            let (head, all, reusable) =
                answered(Method::GET, answer, size, leaves).await.map_err(|it| it.fault).unwrap();
            let expected = (body.to_owned(), trailers.to_owned());
            assert_eq!((all.unwrap(), reusable), (expected, stays), "{answer:?} in reads of {size}");
            assert_eq!(head.headers().contains_key("content-length"), answer.contains("ength") && head.status() != 204);
        }
    }
    let (head, all, reusable) = answered(Method::HEAD, "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", 9, false)
        .await
        .map_err(|it| it.fault)
        .unwrap();
    assert_eq!(
        (head.headers()["content-length"].as_bytes(), all.unwrap().0, reusable),
        (&b"99"[..], String::new(), true)
    );
}

#[tokio::test]
async fn a_head_that_two_readers_could_take_differently_is_no_answer_and_what_was_heard_is_told() {
    let many = format!("HTTP/1.1 200 OK\r\n{}Content-Length: 0\r\n\r\n", "X: y\r\n".repeat(101));
    let large = format!("HTTP/1.1 200 OK\r\nX: {}\r\nContent-Length: 0\r\n\r\n", "y".repeat(70_000));
    let interim = "HTTP/1.1 103 Early\r\nLink: </0123456789012345678901234567890123456789>\r\n\r\n".repeat(1000) + OK;
    for answer in [
        "\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: y\r\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: y\x0c\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n Content-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: y\r\n\tz\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: empty\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nx",
        "HTTP/1.1 200 OK\r\nContent-Length: 0x1\r\n\r\nx",
        "HTTP/1.1 204 No Content\r\nContent-Length: 1\r\n\r\nx",
        "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 103 Early\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200\tOK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 O\0K\r\nContent-Length: 0\r\n\r\n",
        "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.2 200 OK\r\nContent-Length: 0\r\n\r\n",
        "http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "ICY 200 OK",
        &many,
        &large,
        &interim,
    ] {
        for size in [1, 4096, 1 << 20] {
            if size == 1 && answer.len() > 1000 {
                continue;
            }
            let unanswered = answered(Method::GET, answer, size, false).await.expect_err(answer);
            assert!(unanswered.heard && unanswered.sent, "{answer:?}");
            // At once, and not when no more came in time.
            assert!(!unanswered.fault.reason().contains("in time"), "{answer:?}: {}", unanswered.fault.reason());
        }
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_or_is_badly_framed_is_no_whole_one_and_ends_the_connection() {
    const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok".to_owned(),
        format!("{CHUNKED}2\r\nok\r\n"),
        format!("{CHUNKED}2\r\nok\r\n0\r\n"),
        format!("{CHUNKED}2\r\nok\r\n0\r\nX: y\r\n"),
        format!("{CHUNKED}2\r\nokk\r\n0\r\n\r\n"),
        format!("{CHUNKED}2\nok\r\n0\r\n\r\n"),
        format!("{CHUNKED}-2\r\nok\r\n0\r\n\r\n"),
        format!("{CHUNKED}0\r\nX y\r\n\r\n"),
    ] {
        let (_, body, reusable) = answered(Method::GET, &answer, 1000, true).await.map_err(|it| it.fault).unwrap();
        assert!(body.is_err() && !reusable, "{answer:?}: {body:?}");
    }
    for behind in ["x", OK] {
        let (_, body, reusable) =
            answered(Method::GET, &format!("{OK}{behind}"), 1000, false).await.map_err(|it| it.fault).unwrap();
        assert_eq!((body.unwrap().0.as_str(), reusable), ("ok", false));
    }
}

#[tokio::test]
async fn a_body_of_another_length_than_its_head_says_is_never_sent_as_one() {
    for (length, coding) in [("4", None), ("2", None), ("3", Some("chunked")), ("+3", None), ("x", None)] {
        let mut wrong = request(Method::POST, "abc");
        let fields = wrong.headers_mut();
        fields.insert("content-length", HeaderValue::from_static(length));
        fields.extend(coding.map(|it| (HeaderName::from_static("transfer-encoding"), HeaderValue::from_static(it))));
        assert!(Message::of(wrong).is_err(), "{length}");
    }
    let mut target = request(Method::GET, "");
    *target.uri_mut() = "/a\"b".parse().unwrap();
    assert!(Message::of(target).is_ok());
    for (path, query) in [("/a b", None), ("/a\r\n", None), ("a", None), ("/", Some("a b")), ("/", Some("#"))] {
        assert!(Draft::new(&Method::GET, path, query).is_err(), "{path:?} {query:?}");
    }
    let mut head = Draft::new(&Method::GET, "/", None).unwrap();
    assert!(head.text(&HeaderName::from_static("x"), &["a", "b\r\nx: y"]).is_err());
}

#[tokio::test]
async fn a_body_is_announced_as_it_is() {
    let text = |body: &'static str, announced| {
        let body = Sent::Kept(Bytes::from_static(body.as_bytes()), HeaderMap::new());
        let message = Draft::new(&Method::POST, "/a", Some("")).unwrap().end(body, announced);
        String::from_utf8(message.head().to_vec()).unwrap()
    };
    assert_eq!(text("", false), "POST /a? HTTP/1.1\r\n\r\n");
    assert_eq!(text("", true), "POST /a? HTTP/1.1\r\ncontent-length: 0\r\n\r\n");
    for announced in [false, true] {
        assert_eq!(text("0123456789", announced), "POST /a? HTTP/1.1\r\ncontent-length: 10\r\n\r\n0123456789");
    }
}

#[tokio::test]
async fn trailers_go_out_behind_chunks_and_large_bodies_whole() {
    let large: &'static str = "0123456789abcdef".repeat(10_000).leak();
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", HeaderValue::from_static("6"));
    for body in ["", "abc", large] {
        let (mut connection, mut far) = connection();
        let upstream = tokio::spawn(async move {
            let mut came = Vec::new();
            while !came.ends_with(b"\r\n0\r\nx-sum: 6\r\n\r\n") && far.read_buf(&mut came).await.unwrap() > 0 {}
            far.write_all(OK.as_bytes()).await.unwrap();
            (String::from_utf8(came).unwrap(), far)
        });
        let mut sent = Request::new(Sent::Kept(Bytes::from_static(body.as_bytes()), trailers.clone()));
        sent.headers_mut().insert("transfer-encoding", HeaderValue::from_static("chunked"));
        connection.exchange(&mut Message::of(sent).unwrap(), LIMIT).await.map_err(|it| it.fault).unwrap();
        assert_eq!(rest(&mut connection).await.unwrap().0, "ok");
        assert!(connection.is_reusable());
        let chunk = if body.is_empty() { String::new() } else { format!("{:x}\r\n{body}\r\n", body.len()) };
        let head = "GET / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n";
        assert!(upstream.await.unwrap().0 == format!("{head}{chunk}0\r\nx-sum: 6\r\n\r\n"));
    }
    let (mut connection, mut far) = connection();
    let upstream = tokio::spawn(async move {
        let mut came = Vec::new();
        while !came.ends_with(large.as_bytes()) && far.read_buf(&mut came).await.unwrap() > 0 {}
        far.write_all(OK.as_bytes()).await.unwrap();
        far
    });
    connection.exchange(&mut message(Method::PUT, large), LIMIT).await.map_err(|it| it.fault).unwrap();
    assert!(connection.take_whole().is_some() && connection.is_reusable());
    drop(upstream.await);
}

#[tokio::test]
async fn an_early_answer_arrives_while_the_rest_of_the_body_is_sent() {
    let large: &'static str = "x".repeat(1 << 20).leak();
    let (mut connection, mut far) = connection();
    far.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nearly\r\n").await.unwrap();
    connection.exchange(&mut message(Method::PUT, large), LIMIT).await.map_err(|it| it.fault).unwrap();
    let upstream = tokio::spawn(async move {
        let mut came = Vec::new();
        while !came.ends_with(large.as_bytes()) && far.read_buf(&mut came).await.unwrap() > 0 {}
        far.write_all(b"4\r\nlate\r\n0\r\n\r\n").await.unwrap();
        far
    });
    assert_eq!(rest(&mut connection).await.unwrap().0, "earlylate");
    assert!(connection.is_reusable(), "all of it was sent");
    drop(upstream.await);

    // Who answers and reads no more is not sent on to.
    let (mut connection, mut far) = self::connection();
    far.write_all(OK.as_bytes()).await.unwrap();
    connection.exchange(&mut message(Method::PUT, large), LIMIT).await.map_err(|it| it.fault).unwrap();
    assert_eq!(rest(&mut connection).await.unwrap().0, "ok");
    assert!(!connection.is_reusable());
}

#[tokio::test]
async fn what_is_heard_or_closed_while_nothing_is_asked_for_ends_the_connection() {
    let (mut stray, mut far) = connection();
    assert!(stray.is_silent());
    far.write_all(b"H").await.unwrap();
    assert!(!stray.is_silent());
    let (mut closed, far) = connection();
    drop(far);
    assert!(!closed.is_silent());
    // It broke before a byte was sent: the request is as it was.
    let large: &'static str = "x".repeat(1 << 20).leak();
    for body in ["abc", large] {
        let mut whole = message(Method::POST, body);
        let before = whole.head().to_vec();
        let unanswered = closed.exchange(&mut whole, LIMIT).await.unwrap_err();
        assert!(!unanswered.sent && !unanswered.heard);
        assert!(whole.head() == before && matches!(whole.body(), Sent::Kept(kept, _) if kept == body));
    }
}

#[tokio::test]
async fn behind_a_101_no_answer_comes_on_the_connection_and_what_came_with_it_is_kept() {
    let (mut connection, mut far) = connection();
    far.write_all(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nfirst ").await.unwrap();
    let answer = connection.exchange(&mut message(Method::GET, ""), LIMIT).await.map_err(|it| it.fault).unwrap();
    assert!(answer.status() == 101 && connection.take_whole().is_none() && !connection.is_reusable());
    let mut stream = connection.into_stream();
    far.write_all(b"words").await.unwrap();
    let mut heard = [0; 11];
    stream.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"first words");
    stream.write_all(b"and back").await.unwrap();
    let mut sent = [0; 100];
    let count = far.read(&mut sent).await.unwrap();
    assert!(sent[..count].ends_with(b"\r\n\r\n") || sent[..count].ends_with(b"and back"));

    let (mut connection, mut far) = self::connection();
    far.write_all(b"HTTP/1.1 101 Switching Protocols\r\n\r\n").await.unwrap();
    connection.exchange(&mut message(Method::GET, ""), LIMIT).await.map_err(|it| it.fault).unwrap();
    assert!(connection.take_whole().is_none() && !connection.is_reusable());
}

#[tokio::test]
async fn silence_is_told_from_an_answer_that_broke_off() {
    let (mut connection, _far) = connection();
    let unanswered = connection.exchange(&mut message(Method::GET, ""), Duration::from_millis(50)).await.unwrap_err();
    assert!(unanswered.sent && unanswered.fault.reason().contains("in time"));
    for (part, heard) in [("", false), ("HTTP/1.1 200 O", true), ("HTTP/1.1 100 Continue\r\n\r\n", true)] {
        let unanswered = answered(Method::GET, part, 1000, true).await.unwrap_err();
        assert_eq!((unanswered.sent, unanswered.heard), (true, heard), "{part:?}");
    }
}

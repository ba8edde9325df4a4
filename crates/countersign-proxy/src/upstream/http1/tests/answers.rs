//! What is heard, and what the connection is good for behind it.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tokio::io::{join, sink};

use super::*;
use crate::turn::tests::Endless;

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
async fn what_is_heard_or_closed_while_nothing_is_asked_for_ends_the_connection() {
    let (mut stray, mut far) = connection();
    assert!(stray.is_silent());
    far.write_all(b"H").await.unwrap();
    assert!(!stray.is_silent());
    let (mut closed, far) = connection();
    drop(far);
    assert!(!closed.is_silent());
    // Also to a task that has used up its turn, which would be told that nothing is there.
    let (mut unseen, mut far) = connection();
    far.write_all(OK.as_bytes()).await.unwrap();
    tokio::task::yield_now().await;
    while tokio::task::coop::has_budget_remaining() {
        tokio::task::coop::consume_budget().await;
    }
    assert!(!unseen.is_silent());
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

#[tokio::test]
async fn an_upstream_that_answers_without_a_pause_leaves_the_others_their_turns() {
    let sent = Arc::new(AtomicUsize::new(0));
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n";
    let mut connection = Http1::new(Box::new(join(Endless::new(head, &sent), sink())));
    let turn = async move {
        let mut message = message(Method::GET, "");
        let mut whole = pin!(async {
            connection.exchange(&mut message, LIMIT).await.map_err(|unanswered| unanswered.fault).unwrap();
            while let Some(frame) = poll_fn(|cx| connection.poll_content(cx)).await {
                frame.unwrap();
            }
        });
        poll_fn(|cx| Poll::Ready(whole.as_mut().poll(cx).is_pending())).await
    };
    assert!(tokio::spawn(turn).await.unwrap(), "all of it was read in one turn");
    let sent = sent.load(Relaxed);
    assert!((1..1 << 20).contains(&sent), "{sent} bytes in one turn");
}

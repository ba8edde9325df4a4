//! What goes out.

use std::sync::Arc;

use super::*;
use crate::settings::Limits;
use crate::spool::{Held, Room, Spool};

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

/// An upstream that answers early and reads no further keeps the body in memory for as long as its answer lasts.
#[tokio::test]
async fn a_body_that_is_still_unsent_when_its_answer_begins_has_its_share_of_the_room() {
    let (mut connection, mut far) = connection();
    let room = Arc::new(Room::default());
    let mut spool = Spool::new(&room, &Limits::default(), true);
    spool.write(Bytes::from(vec![b'x'; 1 << 20])).await.unwrap();
    let Held::Memory(body, share) = spool.end().await.unwrap() else { panic!("it is in memory") };
    let head = Draft::new(&Method::POST, "/a", None).unwrap();
    let mut message = head.end(Sent::Kept(body, HeaderMap::new()), true).with(Some(share));
    far.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok").await.unwrap();
    assert!(connection.exchange(&mut message, LIMIT).await.is_ok());
    drop(message);
    assert_eq!(room.held(), 1 << 20);
    drop(connection);
    assert_eq!(room.held(), 0);
}

//! Mistake 30 in HTTP/2: much of what is cheap to send.

use std::time::Duration;

use countersign_proxy::Limits;

use crate::frames::*;
use crate::stage::{Setting, Stage};

/// Sends as much as is taken, until the connection ends.
async fn flood(connection: &mut Connection, frames: impl Iterator<Item = Vec<u8>>) -> End {
    use tokio::io::AsyncWriteExt;
    for frame in frames {
        if connection.stream.write_all(&frame).await.is_err() {
            break;
        }
    }
    connection.end_of(u32::MAX).await
}

async fn good_requests_pass(stage: &Stage) {
    assert_eq!(asked(stage, &get(stage).await).await, End::Status(200));
}

#[tokio::test]
async fn a_continuation_flood_ends_the_connection() {
    let stage = Stage::start().await;
    for part in [&b""[..], b"\0\x01x\x01y", &[0x82]] {
        let mut connection = Connection::open(&stage).await;
        let head = block(&get(&stage).await);
        connection.send(&[frame(HEADERS, END_STREAM, 1, &head)]).await;
        let end = flood(&mut connection, (0..200_000).map(|_| frame(CONTINUATION, 0, 1, part))).await;
        assert!(matches!(end, End::Closed(_)), "{end:?}");
    }
    assert_eq!(stage.upstream.requests(), 0);
    good_requests_pass(&stage).await;
}

#[tokio::test]
async fn a_head_that_grows_when_it_is_unpacked_is_too_large() {
    let stage = Stage::start().await;
    let mut fields = get(&stage).await;
    fields.retain(|(name, _)| name.starts_with(':'));
    let mut bomb = block(&fields);
    // A field of 4000 bytes into the table, and then a byte each for it again.
    bomb.extend_from_slice(&[0x40, 1, b'x', 127, 0xa1, 0x1e]);
    bomb.extend_from_slice(&[b'y'; 4000]);
    bomb.extend_from_slice(&[0xbe; 8000]);
    let mut connection = Connection::open(&stage).await;
    connection.send(&[frame(HEADERS, END_STREAM | END_HEADERS, 1, &bomb)]).await;
    let end = connection.end_of(1).await;
    assert!(matches!(end, End::Status(431) | End::Reset(_) | End::Closed(_)), "{end:?}");
    good_requests_pass(&stage).await;
}

/// CVE-2023-44487, "rapid reset": a request costs its caller a frame, and it takes none of the streams that it may have.
#[tokio::test]
async fn rapid_resets_end_the_connection() {
    let stage = Stage::start().await;
    for target in ["/orders/slow", "/elsewhere"] {
        let mut connection = Connection::open(&stage).await;
        let head = block(&fields(&stage.partner.get(target)).await);
        let cancel = 8_u32.to_be_bytes();
        let streams = (0..20_000_u32).map(|number| {
            let id = 2 * number + 1;
            [frame(HEADERS, END_STREAM | END_HEADERS, id, &head), frame(RST_STREAM, 0, id, &cancel)].concat()
        });
        let end = flood(&mut connection, streams).await;
        assert!(matches!(end, End::Closed(_)), "{target}: {end:?}");
    }
    assert!(stage.upstream.requests() < 300, "{}", stage.upstream.requests());
    good_requests_pass(&stage).await;
}

/// CVE-2025-8671, "MadeYouReset": the caller makes us reset its streams, which it may then open again at once.
#[tokio::test]
async fn made_you_reset_ends_the_connection() {
    let stage = Stage::start().await;
    for break_it in [
        |id| frame(WINDOW_UPDATE, 0, id, &[0; 4]),
        |id| frame(WINDOW_UPDATE, 0, id, &(u32::MAX >> 1).to_be_bytes()),
        |id| frame(DATA, END_STREAM, id, b"after the end"),
    ] {
        let mut connection = Connection::open(&stage).await;
        let head = block(&fields(&stage.partner.get("/orders/slow")).await);
        let streams = (0..2000_u32).map(|number| {
            let id = 2 * number + 1;
            [frame(HEADERS, END_STREAM | END_HEADERS, id, &head), break_it(id)].concat()
        });
        let end = flood(&mut connection, streams).await;
        assert!(matches!(end, End::Closed(_)), "{end:?}");
    }
    assert!(stage.upstream.requests() < 300, "{}", stage.upstream.requests());
    good_requests_pass(&stage).await;
}

#[tokio::test]
async fn no_more_streams_than_were_allowed() {
    let limits = Limits { max_streams: 4, ..Limits::default() };
    let stage = Stage::with(Setting { limits, ..Setting::default() }).await;
    let mut connection = Connection::open(&stage).await;
    for number in 0..6_u32 {
        let head = block(&fields(&stage.partner.get("/orders/slow")).await);
        connection.send(&[frame(HEADERS, END_STREAM | END_HEADERS, 2 * number + 1, &head)]).await;
    }
    // REFUSED_STREAM: none of it was looked at, so that it may be sent again.
    assert_eq!(connection.end_of(9).await, End::Reset(7));
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(stage.upstream.requests(), 4);
}

#[tokio::test]
async fn floods_of_small_frames_leave_good_requests_unharmed() {
    let stage = Stage::start().await;
    for small in [
        frame(PING, 0, 0, &[7; 8]),
        frame(SETTINGS, 0, 0, &[]),
        frame(PRIORITY, 0, 1, &[0, 0, 0, 3, 0]),
        frame(DATA, 0, 1, b""),
    ] {
        let mut connection = Connection::open(&stage).await;
        connection.send(&[frame(HEADERS, END_HEADERS, 1, &block(&post(&stage).await))]).await;
        let pouring = tokio::spawn(async move {
            use tokio::io::AsyncWriteExt;
            let many = small.repeat(1000);
            let until = tokio::time::Instant::now() + Duration::from_millis(600);
            // Nothing is read of what is answered to it.
            while tokio::time::timeout_at(until, connection.stream.write_all(&many)).await.is_ok_and(|it| it.is_ok()) {}
        });
        for _ in 0..5 {
            good_requests_pass(&stage).await;
        }
        pouring.await.unwrap();
    }
}

#[tokio::test]
async fn an_answer_that_nobody_reads_is_not_held_for_ever() {
    let limits = Limits { write_time: Duration::from_millis(300), ..Limits::default() };
    let stage = Stage::with(Setting { limits, ..Setting::default() }).await;
    // A window of nothing: no byte of an answer's body may be sent.
    let mut connection = Connection::with(&stage, &[0, 4, 0, 0, 0, 0]).await;
    connection.send(&[frame(HEADERS, END_STREAM | END_HEADERS, 1, &block(&get(&stage).await))]).await;
    assert_eq!(connection.end_of(1).await, End::Status(200));
    let started = tokio::time::Instant::now();
    assert!(matches!(connection.end_of(u32::MAX).await, End::Closed(_)));
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
}

//! What h2spec asks for, frame by frame: the error that ends the stream or the connection.

use crate::frames::*;
use crate::stage::Stage;

#[tokio::test]
async fn frames_that_break_the_protocol_end_the_connection() {
    let stage = Stage::start().await;
    let head = block(&get(&stage).await);
    let open = || frame(HEADERS, END_HEADERS, 1, &head);
    let window = |stream, increment: u32| frame(WINDOW_UPDATE, 0, stream, &increment.to_be_bytes());
    let setting = |id: u16, value: u32| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat();
    for (what, frames, codes) in [
        ("DATA on no stream", vec![frame(DATA, 0, 0, b"x")], vec![PROTOCOL_ERROR]),
        ("DATA on a stream that was not opened", vec![frame(DATA, 0, 3, b"x")], vec![PROTOCOL_ERROR, STREAM_CLOSED]),
        ("HEADERS on no stream", vec![frame(HEADERS, 5, 0, &head)], vec![PROTOCOL_ERROR]),
        ("HEADERS on an even stream", vec![frame(HEADERS, 5, 2, &head)], vec![PROTOCOL_ERROR]),
        (
            "streams in the wrong order",
            vec![frame(HEADERS, 4, 5, &head), frame(HEADERS, 4, 3, &head)],
            vec![PROTOCOL_ERROR, STREAM_CLOSED],
        ),
        ("CONTINUATION without a head", vec![frame(CONTINUATION, 4, 1, &head)], vec![PROTOCOL_ERROR]),
        (
            "another frame inside a head",
            vec![frame(HEADERS, 0, 1, &head), frame(PING, 0, 0, &[0; 8])],
            vec![PROTOCOL_ERROR],
        ),
        (
            "another stream's CONTINUATION",
            vec![frame(HEADERS, 0, 1, &head), frame(CONTINUATION, 4, 3, &[])],
            vec![PROTOCOL_ERROR],
        ),
        ("a head that is not HPACK", vec![frame(HEADERS, 5, 1, &[0xff; 20])], vec![COMPRESSION_ERROR, PROTOCOL_ERROR]),
        (
            "a table larger than we said",
            vec![frame(HEADERS, 5, 1, &[0x3f, 0xff, 0xff, 0xff, 0x7f])],
            vec![COMPRESSION_ERROR, PROTOCOL_ERROR],
        ),
        ("more padding than frame", vec![frame(HEADERS, 4 | PADDED, 1, &[9, 1])], vec![PROTOCOL_ERROR]),
        ("a window beyond its end", vec![window(0, u32::MAX >> 1), window(0, u32::MAX >> 1)], vec![FLOW_CONTROL_ERROR]),
        ("a window that opens by nothing", vec![window(0, 0)], vec![PROTOCOL_ERROR]),
        (
            "WINDOW_UPDATE of five bytes",
            vec![frame(WINDOW_UPDATE, 0, 0, &[0; 5])],
            vec![FRAME_SIZE_ERROR, PROTOCOL_ERROR],
        ),
        ("WINDOW_UPDATE of a stream that was not opened", vec![window(7, 1)], vec![PROTOCOL_ERROR]),
        ("RST_STREAM of a stream that was not opened", vec![frame(RST_STREAM, 0, 7, &[0; 4])], vec![PROTOCOL_ERROR]),
        (
            "RST_STREAM of three bytes",
            vec![open(), frame(RST_STREAM, 0, 1, &[0; 3])],
            vec![FRAME_SIZE_ERROR, PROTOCOL_ERROR],
        ),
        ("SETTINGS of five bytes", vec![frame(SETTINGS, 0, 0, &[0; 5])], vec![FRAME_SIZE_ERROR, PROTOCOL_ERROR]),
        ("SETTINGS on a stream", vec![frame(SETTINGS, 0, 1, &[])], vec![PROTOCOL_ERROR]),
        (
            "an acknowledgement with settings",
            vec![frame(SETTINGS, ACK, 0, &[0; 6])],
            vec![FRAME_SIZE_ERROR, PROTOCOL_ERROR],
        ),
        (
            "a window setting beyond its end",
            vec![frame(SETTINGS, 0, 0, &setting(4, 1 << 31))],
            vec![FLOW_CONTROL_ERROR, PROTOCOL_ERROR],
        ),
        ("frames larger than there are", vec![frame(SETTINGS, 0, 0, &setting(5, 1 << 24))], vec![PROTOCOL_ERROR]),
        ("PUSH of neither 0 nor 1", vec![frame(SETTINGS, 0, 0, &setting(2, 2))], vec![PROTOCOL_ERROR]),
        ("PING of seven bytes", vec![frame(PING, 0, 0, &[0; 7])], vec![FRAME_SIZE_ERROR, PROTOCOL_ERROR]),
        ("PING on a stream", vec![frame(PING, 0, 1, &[0; 8])], vec![PROTOCOL_ERROR]),
        ("GOAWAY on a stream", vec![frame(GOAWAY, 0, 1, &[0; 8])], vec![PROTOCOL_ERROR]),
        ("PUSH_PROMISE of a client", vec![open(), frame(PUSH_PROMISE, 4, 1, &[0, 0, 0, 2])], vec![PROTOCOL_ERROR]),
        ("PRIORITY on no stream", vec![frame(PRIORITY, 0, 0, &[0; 5])], vec![PROTOCOL_ERROR]),
        ("a frame larger than we said", vec![open(), frame(DATA, 0, 1, &[0; (1 << 14) + 1])], vec![FRAME_SIZE_ERROR]),
    ] {
        let mut connection = Connection::open(&stage).await;
        connection.send(&frames).await;
        match connection.end_of(u32::MAX).await {
            End::Closed(Some(code)) => assert!(codes.contains(&code), "{what}: error {code}"),
            other => panic!("{what}: {other:?}"),
        }
    }
    assert_eq!(stage.upstream.requests(), 0);
}

#[tokio::test]
async fn frames_that_break_a_stream_end_it() {
    let stage = Stage::start().await;
    let head = || async { block(&post(&stage).await) };
    let window = |increment: u32| frame(WINDOW_UPDATE, 0, 1, &increment.to_be_bytes());
    let begun = frame(HEADERS, END_HEADERS, 1, &head().await);
    for (what, frame, codes) in [
        ("a window beyond its end", window(u32::MAX >> 1), [FLOW_CONTROL_ERROR; 2]),
        ("a window that opens by nothing", window(0), [PROTOCOL_ERROR; 2]),
        ("a stream that depends on itself", frame(PRIORITY, 0, 1, &[0, 0, 0, 1, 0]), [PROTOCOL_ERROR; 2]),
        ("PRIORITY of four bytes", frame(PRIORITY, 0, 1, &[0; 4]), [FRAME_SIZE_ERROR, PROTOCOL_ERROR]),
    ] {
        let mut connection = Connection::open(&stage).await;
        connection.send(&[begun.clone(), frame]).await;
        match connection.end_of(1).await {
            End::Reset(code) | End::Closed(Some(code)) => assert!(codes.contains(&code), "{what}: error {code}"),
            other => panic!("{what}: {other:?}"),
        }
    }
    // After its end a stream takes nothing more: neither becomes a body, or another request.
    for (what, more) in [
        ("DATA", frame(DATA, END_STREAM, 1, b"more")),
        ("HEADERS", frame(HEADERS, END_STREAM | END_HEADERS, 1, &head().await)),
    ] {
        let stage = Stage::start().await;
        let slow = block(&fields(&stage.partner.get("/orders/slow")).await);
        let mut connection = Connection::open(&stage).await;
        connection.send(&[frame(HEADERS, END_STREAM | END_HEADERS, 1, &slow), more]).await;
        match connection.end_of(1).await {
            End::Reset(code) | End::Closed(Some(code)) => {
                assert!([STREAM_CLOSED, PROTOCOL_ERROR].contains(&code), "{what}: error {code}");
            }
            other => panic!("{what} after the end: {other:?}"),
        }
        assert!(stage.upstream.requests() <= 1);
    }
    assert_eq!(stage.upstream.requests(), 0);
}

//! Mistake 26 in HTTP/2: what two readers could take for two requests, and what h2spec asks for, frame by frame. The request is
//! signed each time, and passes where nothing is wrong with it.

use std::time::Duration;

use countersign_proxy::Limits;

use crate::admitted::arrived;
use crate::frames::*;
use crate::stage::{Setting, Stage};

type Fields = Vec<(String, String)>;

fn with(mut fields: Fields, name: &str, value: &str) -> Fields {
    fields.push((name.to_owned(), value.to_owned()));
    fields
}

fn set(mut fields: Fields, name: &str, value: &str) -> Fields {
    fields.iter_mut().filter(|(other, _)| other == name).for_each(|(_, old)| value.clone_into(old));
    fields
}

async fn get(stage: &Stage) -> Fields {
    fields(&stage.partner.get("/orders")).await
}

async fn post(stage: &Stage) -> Fields {
    fields(&stage.partner.post("/orders", "abc")).await
}

/// What comes of a request whose head ends the stream.
async fn asked(stage: &Stage, fields: &Fields) -> End {
    let mut connection = Connection::open(stage).await;
    connection.send(&[frame(HEADERS, END_STREAM | END_HEADERS, 1, &block(fields))]).await;
    connection.end_of(1).await
}

#[tokio::test]
async fn a_request_frame_by_frame_passes() {
    let stage = Stage::start().await;
    assert_eq!(asked(&stage, &get(&stage).await).await, End::Status(200));
    assert_eq!(asked(&stage, &with(get(&stage).await, "te", "trailers")).await, End::Status(200));
    let mut connection = Connection::open(&stage).await;
    let block = block(&post(&stage).await);
    let (first, second) = block.split_at(40);
    let padded = [&[3][..], b"bc", &[0; 3]].concat();
    connection
        .send(&[
            frame(HEADERS, 0, 1, first),
            frame(CONTINUATION, END_HEADERS, 1, second),
            frame(DATA, 0, 1, b"a"),
            frame(0xfe, 0xff, 1, b"an unknown kind is ignored"),
            frame(DATA, END_STREAM | PADDED, 1, &padded),
        ])
        .await;
    assert_eq!(connection.end_of(1).await, End::Status(200));
    assert_eq!(stage.upstream.requests(), 3);
}

#[tokio::test]
async fn pseudo_headers_twice_late_unknown_or_missing() {
    let stage = Stage::start().await;
    for (name, value) in [(":method", "GET"), (":scheme", "http"), (":authority", "api.test"), (":path", "/orders")] {
        for value in [value, "POST", "/other", "evil.test"] {
            let mut fields = get(&stage).await;
            fields.insert(4, (name.to_owned(), value.to_owned()));
            assert!(asked(&stage, &fields).await.is_refusal(), "{name} twice, {value}");
        }
        let mut fields = get(&stage).await;
        fields.retain(|(other, _)| other != name);
        assert!(asked(&stage, &fields).await.is_refusal(), "no {name}");
        fields.push((name.to_owned(), value.to_owned()));
        assert!(asked(&stage, &fields).await.is_refusal(), "{name} late");
    }
    for (name, value) in [(":unknown", "x"), (":status", "200"), (":protocol", "websocket"), (":", "x"), (":host", "a")]
    {
        let mut fields = get(&stage).await;
        fields.insert(4, (name.to_owned(), value.to_owned()));
        assert!(asked(&stage, &fields).await.is_refusal(), "{name}");
    }
    assert_eq!(stage.upstream.requests(), 0);
}

#[tokio::test]
async fn field_names_and_values_that_http_1_would_read_otherwise() {
    let stage = Stage::start().await;
    for name in ["X-Upper", "x upper", "x:y", "", "x\r\ny", "x\ny", "x\0", "x(", "\u{e9}", "host\t"] {
        assert!(asked(&stage, &with(get(&stage).await, name, "v")).await.is_refusal(), "{name:?}");
    }
    for value in ["a\r\nGET /smuggled HTTP/1.1", "a\nb", "a\rb", "a\0b", " a", "a ", "\ta", "a\t", "a\u{7f}", "\u{1}"] {
        assert!(asked(&stage, &with(get(&stage).await, "x-value", value)).await.is_refusal(), "{value:?}");
    }
    assert_eq!(stage.upstream.requests(), 0);
}

#[tokio::test]
async fn fields_of_the_connection_have_no_place_in_http_2() {
    let stage = Stage::start().await;
    for (name, value) in [
        ("connection", "close"),
        ("connection", "x-hop"),
        ("keep-alive", "5"),
        ("proxy-connection", "close"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "websocket"),
        ("te", "gzip"),
        ("te", "trailers, gzip"),
    ] {
        assert!(asked(&stage, &with(get(&stage).await, name, value)).await.is_refusal(), "{name}: {value}");
    }
    assert_eq!(stage.upstream.requests(), 0);
}

#[tokio::test]
async fn identity_headers_never_arrive_over_http_2_either() {
    let stage = Stage::start().await;
    let mut sent = get(&stage).await;
    for name in ["countersign-partner", "countersign_key", "client-cert", "x-forwarded-for", "forwarded", "x_real_ip"] {
        sent = with(sent, name, "mallory");
    }
    let mut connection = Connection::open(&stage).await;
    connection.send(&[frame(HEADERS, END_STREAM | END_HEADERS, 1, &block(&sent))]).await;
    assert_eq!(connection.end_of(1).await, End::Status(200));
    let (mut body, mut ended) = (Vec::new(), false);
    while !ended {
        let (kind, flags, _, payload) = connection.next().await.unwrap();
        if kind == DATA {
            body.extend_from_slice(&payload);
            ended = flags & END_STREAM != 0;
        }
    }
    let echo: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert!(!echo.to_string().contains("mallory"), "{echo}");
    assert_eq!(arrived(&echo, "countersign-partner"), ["acme"]);
}

#[tokio::test]
async fn a_length_that_is_not_that_of_the_data() {
    let stage = Stage::start().await;
    for (length, data) in [("2", "abc"), ("4", "abc"), ("0", "abc"), ("3", "")] {
        let fields = with(post(&stage).await, "content-length", length);
        let mut connection = Connection::open(&stage).await;
        connection
            .send(&[frame(HEADERS, END_HEADERS, 1, &block(&fields)), frame(DATA, END_STREAM, 1, data.as_bytes())])
            .await;
        assert!(connection.end_of(1).await.is_refusal(), "{length} for {data:?}");
    }
    assert!(asked(&stage, &with(get(&stage).await, "content-length", "3")).await.is_refusal(), "a length and no data");
    for lengths in [&["3", "3"][..], &["3", "4"], &["+3"], &["3, 3"], &["0x3"], &[""], &["3 "]] {
        let mut fields = post(&stage).await;
        for length in lengths {
            fields = with(fields, "content-length", length);
        }
        let mut connection = Connection::open(&stage).await;
        connection.send(&[frame(HEADERS, END_HEADERS, 1, &block(&fields)), frame(DATA, END_STREAM, 1, b"abc")]).await;
        assert!(connection.end_of(1).await.is_refusal(), "{lengths:?}");
    }
    assert_eq!(stage.upstream.requests(), 0);
}

#[tokio::test]
async fn a_path_is_judged_as_in_http_1() {
    let stage = Stage::start().await;
    for path in [
        "",
        "orders",
        "//orders",
        "/orders//1",
        "/./orders",
        "/orders/.",
        "/orders/../admin",
        "/orders/%2e%2e/admin",
        "/orders%2fadmin",
        "/orders\\admin",
        "/orders;x",
        "/orders-admin",
        "/orders 1",
        "/orders\u{e9}",
        "/orders/%zz",
        "http://api.test/orders",
        "*",
    ] {
        assert!(asked(&stage, &set(get(&stage).await, ":path", path)).await.is_refusal(), "{path:?}");
    }
    for (name, value) in [
        (":authority", "user@api.test"),
        (":authority", "api.test."),
        (":authority", "api.test, evil.test"),
        (":authority", ""),
        (":scheme", "ftp"),
        (":scheme", "http://evil.test/?"),
        (":method", "TRACE"),
        (":method", "CONNECT"),
        (":method", "G T"),
        (":method", ""),
    ] {
        assert!(asked(&stage, &set(get(&stage).await, name, value)).await.is_refusal(), "{name} {value:?}");
    }
    assert_eq!(stage.upstream.requests(), 0);
}

#[tokio::test]
async fn what_is_cut_off_below_us_is_neither_verified_nor_forwarded() {
    let stage = Stage::start().await;
    // Signed without a fragment, it arrives without one; nothing else of the path can be hidden behind it.
    assert_eq!(asked(&stage, &set(get(&stage).await, ":path", "/orders#/../admin")).await, End::Status(200));
    assert!(asked(&stage, &set(get(&stage).await, ":path", "/orders/7#")).await.is_refusal());
    assert_eq!(stage.upstream.requests(), 1);
}

#[tokio::test]
async fn extended_connect_opens_no_tunnel() {
    let stage = Stage::start().await;
    let mut fields = set(get(&stage).await, ":method", "CONNECT");
    fields.insert(4, (":protocol".to_owned(), "websocket".to_owned()));
    assert!(asked(&stage, &fields).await.is_refusal());
    let plain: Fields = [(":method", "CONNECT"), (":authority", "api.test:443")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
    assert!(asked(&stage, &plain).await.is_refusal());
    assert_eq!(stage.upstream.requests(), 0);
}

#[tokio::test]
async fn trailers_that_are_not_trailers() {
    let stage = Stage::start().await;
    for (trailers, flags) in [
        (vec![(":path".to_owned(), "/other".to_owned())], END_STREAM | END_HEADERS),
        (vec![("connection".to_owned(), "close".to_owned())], END_STREAM | END_HEADERS),
        (vec![("X-Upper".to_owned(), "x".to_owned())], END_STREAM | END_HEADERS),
        // A second head in the middle of the body.
        (vec![("x-trailer".to_owned(), "x".to_owned())], END_HEADERS),
    ] {
        let mut connection = Connection::open(&stage).await;
        connection
            .send(&[
                frame(HEADERS, END_HEADERS, 1, &block(&post(&stage).await)),
                frame(DATA, 0, 1, b"abc"),
                frame(HEADERS, flags, 1, &block(&trailers)),
                frame(DATA, END_STREAM, 1, b""),
            ])
            .await;
        assert!(connection.end_of(1).await.is_refusal(), "{trailers:?}");
    }
    assert_eq!(stage.upstream.requests(), 0);
}

/// Each with what h2spec asks for: the error that ends the stream or the connection.
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
                assert!([STREAM_CLOSED, PROTOCOL_ERROR].contains(&code), "{what}: error {code}")
            }
            other => panic!("{what} after the end: {other:?}"),
        }
        assert!(stage.upstream.requests() <= 1);
    }
    assert_eq!(stage.upstream.requests(), 0);
}

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

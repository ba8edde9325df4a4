//! Mistake 26 in HTTP/2: what two readers could take for two requests, head by head. The request is signed each time, and passes
//! where nothing is wrong with it.

use crate::admitted::arrived;
use crate::frames::*;
use crate::stage::Stage;

fn with(mut fields: Fields, name: &str, value: &str) -> Fields {
    fields.push((name.to_owned(), value.to_owned()));
    fields
}

fn set(mut fields: Fields, name: &str, value: &str) -> Fields {
    fields.iter_mut().filter(|(other, _)| other == name).for_each(|(_, old)| value.clone_into(old));
    fields
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

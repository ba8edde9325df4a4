use super::*;

#[path = "../../../../fuzz/replay.rs"]
mod replay;

#[test]
fn what_the_fuzzer_kept_reads_as_it_is_written() {
    replay::replay("message", fuzz::message);
}

fn parse(text: &str) -> Result<Message, Rejection> {
    Message::parse(&Bytes::copy_from_slice(text.as_bytes()))
}

fn body(text: &str) -> Option<String> {
    parse(text).ok().map(|message| String::from_utf8(message.body.to_vec()).unwrap())
}

#[test]
fn line_ends_are_taken_as_people_leave_them() {
    for text in [
        "POST /a HTTP/1.1\r\nHost: b\r\n\r\nc",
        "POST /a HTTP/1.1\nHost: b\n\nc",
        "\r\nPOST /a HTTP/1.1\nHost:  b \r\n\nc",
        "POST /a HTTP/1.1\nHost: b\nContent-Length: 1\n\nc\n",
        "POST /a HTTP/1.1\nHost: b\nTransfer-Encoding: chunked\n\n1\r\nc\r\n0\r\n\r\n",
    ] {
        assert_eq!(body(text).as_deref(), Some("c"), "{text:?}");
    }
    for text in ["GET / HTTP/1.1\nHost: b", "GET / HTTP/1.1\nHost: b\n", "GET / HTTP/1.1\r\nHost: b\r\n\r\n\r\n"] {
        assert_eq!(body(text).as_deref(), Some(""), "{text:?}");
    }
    // Without Content-Length a final line end belongs to the body.
    assert_eq!(body("POST /a HTTP/1.1\nHost: b\n\nc\n").as_deref(), Some("c\n"));
}

#[test]
fn what_a_server_refuses_is_refused() {
    for text in [
        "\n",
        "GET /",
        "GET / HTTP/1.1 x",
        "GET  / HTTP/1.1",
        "HTTP/1.1\n\n",
        "HTTP/1.1 2000 OK\n\n",
        ":method: GET\n:scheme: https\n:path: /\n\n",
        ":method: GET\n:method: GET\n:scheme: https\n:authority: a\n:path: /\n\n",
        ":method: GET\n:scheme: https\n:authority: a\n:path: /\n:other: b\n\n",
        ":method: GET\n:scheme: https\n:authority: a\nx: y\n:path: /\n\n",
        ":method: GET\n:scheme: https\n:authority: a\n:path: a\n\n",
        ":method: GET\n:scheme: https\n:authority: a\n:path: /\nhost: b\n\n",
        ":method: GET\n:scheme: https\n:authority: a\n:path: /\nconnection: b\n\n",
        ":method: GET\n:scheme: https\n:authority: a\n:path: /\nX-Upper: b\n\n",
        "GET / HTTP/1.1\nHost b",
        "GET / HTTP/1.1\nHost : b",
        "GET / HTTP/1.1\nA: b\n c",
        "GET / HTTP/1.1\nA: b\u{1}",
        "GET / HTTP/1.1\nA: b\rc",
        "POST / HTTP/1.1\nContent-Length: 2\n\nc",
        "POST / HTTP/1.1\nContent-Length: 1\n\ncc",
        "POST / HTTP/1.1\nContent-Length: +1\n\nc",
        "POST / HTTP/1.1\nContent-Length: 1\nContent-Length: 1\n\nc",
        "POST / HTTP/1.1\nContent-Length: 1\nTransfer-Encoding: chunked\n\nc",
        "POST / HTTP/1.1\nTransfer-Encoding: gzip\n\nc",
        "POST / HTTP/1.1\nTransfer-Encoding: chunked\n\n2\r\nc\r\n0\r\n\r\n",
    ] {
        assert_eq!(parse(text).map_err(|fault| fault.code()).err(), Some(Code::Malformed), "{text:?}");
    }
}

#[test]
fn what_is_written_is_what_was_read_with_a_length() {
    let message = parse("POST /a HTTP/1.1\nhost: b\nX-y: 1\nx-Y: 2\n\nc").unwrap();
    let written = "POST /a HTTP/1.1\r\nhost: b\r\nX-y: 1\r\nx-Y: 2\r\nContent-Length: 1\r\n\r\nc";
    assert_eq!(String::from_utf8(message.write()).unwrap(), written);
    assert_eq!(String::from_utf8(parse(written).unwrap().write()).unwrap(), written);
}

#[test]
fn trailers_and_pseudo_header_fields_and_status_lines_are_read() {
    let chunked = "POST /a HTTP/1.1\nHost: b\nTransfer-Encoding: chunked\n\n1\r\nc\r\n0\r\nX-A: 1\r\nX-A: 2\r\n\r\n";
    let message = parse(chunked).unwrap();
    assert_eq!((message.trailers().len(), &message.body[..]), (2, &b"c"[..]));
    assert_eq!(
        message.write(),
        chunked
            .replace("b\nT", "b\r\nT")
            .replace("1.1\n", "1.1\r\n")
            .replace("chunked\n\n", "chunked\r\n\r\n")
            .as_bytes()
    );
    let message =
        parse(":method: POST\n:scheme: http\n:authority: Api.example.com:80\n:path: /a?b\nx: y\n\nc").unwrap();
    let origin = message.origin().unwrap();
    assert_eq!((origin.scheme(), origin.authority()), ("http", "api.example.com"));
    let head = message.head(origin).unwrap();
    assert_eq!((head.method().unwrap().as_str(), head.target(), head.has_body()), ("POST", Some("/a?b"), true));
    let response = parse("HTTP/1.1 204 No Content\nX: y\n\n").unwrap();
    assert!(response.is_response() && response.origin().is_err());
    assert!(!response.response_head(None).unwrap().has_body());
}

#[test]
fn an_origin_is_believed_by_target_and_host() {
    let origin = |text: &str| {
        parse(text).unwrap().origin().map(|it| format!("{}://{}", it.scheme(), it.authority())).unwrap_or_default()
    };
    assert_eq!(origin("GET / HTTP/1.1\nHost: Example.com:443"), "https://example.com");
    assert_eq!(origin("GET / HTTP/1.1\nHost: localhost:8080"), "http://localhost:8080");
    assert_eq!(origin("GET / HTTP/1.1\nHost: [::1]"), "http://[::1]");
    assert_eq!(origin("GET http://a/b HTTP/1.1\nHost: a"), "http://a");
    assert_eq!(origin("GET https://127.0.0.1:1/b HTTP/1.1"), "https://127.0.0.1:1");
    assert_eq!(origin("GET / HTTP/1.1\nA: b"), "");
}

//! Mistakes 5, 6, 27 and 28 in HTTP/1.1: what a verifier and an upstream could read differently, and the methods and expectations
//! that are none of an API's.

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::admitted::arrived;
use crate::client::{ask, next, send};
use crate::stage::Stage;

const COVER: [&str; 5] = ["@method", "@authority", "@path", "@query", "x-signed"];

#[tokio::test]
async fn a_repeated_field_is_signed_as_a_whole_and_a_line_more_breaks_the_signature() {
    let stage = Stage::start().await;
    let message = || stage.partner.get("/orders").field("X-Signed", "a").field("X-Signed", "b").cover(&COVER);
    let answer = ask(stage.address, &message().bytes().await).await;
    assert_eq!((answer.status, arrived(&answer.json(), "x-signed")), (200, vec!["a", "b"]));
    for spoilt in ["before", "behind", "swapped", "lost", "joined"] {
        let mut request = message().sign().await;
        let line = ("X-Signed".to_owned(), "c".to_owned());
        match spoilt {
            "before" => request.fields.insert(0, line),
            "behind" => request.fields.push(line),
            "swapped" => request.fields.swap(1, 2),
            "lost" => drop(request.fields.remove(1)),
            _ => {
                // RFC 9421 §2.1 signs lines as their list: joined they are the same message, and arrive so.
                request.fields.remove(1);
                request.fields[1].1 = "a, b".to_owned();
                let answer = ask(stage.address, &request.bytes()).await;
                assert_eq!((answer.status, arrived(&answer.json(), "x-signed")), (200, vec!["a, b"]));
                continue;
            }
        }
        assert_eq!(ask(stage.address, &request.bytes()).await.code(), "bad_signature", "{spoilt}");
    }
}

#[tokio::test]
async fn blanks_around_a_value_are_of_the_line_and_not_of_the_value() {
    let stage = Stage::start().await;
    let mut request = stage.partner.get("/orders").field("X-Signed", "a  b").cover(&COVER).sign().await;
    request.fields[1].1 = " \t a  b\t ".to_owned();
    let answer = ask(stage.address, &request.bytes()).await;
    assert_eq!((answer.status, arrived(&answer.json(), "x-signed")), (200, vec!["a  b"]));
    let mut request = stage.partner.get("/orders").field("X-Signed", "a  b").cover(&COVER).sign().await;
    request.fields[1].1 = "a b".to_owned();
    assert_eq!(ask(stage.address, &request.bytes()).await.code(), "bad_signature");
}

#[tokio::test]
async fn bytes_above_127_arrive_as_they_came_where_nobody_signed_them() {
    let stage = Stage::start().await;
    let mut bytes = stage.partner.get("/orders").sign().await.with("X-Latin", "?").bytes();
    let at = bytes.iter().rposition(|byte| *byte == b'?').unwrap();
    bytes[at] = 0xe9;
    let answer = ask(stage.address, &bytes).await;
    assert_eq!((answer.status, arrived(&answer.json(), "x-latin")), (200, vec!["\u{fffd}"]));
}

#[tokio::test]
async fn an_authority_is_the_same_with_the_default_port_and_in_upper_case_and_no_other_is() {
    let stage = Stage::start().await;
    for (host, code) in [
        ("API.test", None),
        ("api.test:80", None),
        ("api.test:", None),
        ("api.test:8080", Some("bad_signature")),
        ("api.test:443", Some("bad_signature")),
        ("evil.test", Some("bad_signature")),
        ("[::1]", Some("bad_signature")),
        ("[::1", Some("malformed")),
        ("user@api.test", Some("malformed")),
        ("api.test/", Some("malformed")),
        ("api.test:x", Some("malformed")),
        ("api.test..", Some("malformed")),
        ("api.test\\", Some("malformed")),
    ] {
        let mut request = stage.partner.get("/orders").sign().await;
        request.fields[0].1 = host.to_owned();
        let answer = ask(stage.address, &request.bytes()).await;
        match code {
            None => assert_eq!(arrived(&answer.json(), "host"), ["api.test"], "{host}"),
            Some(code) => assert_eq!(answer.code(), code, "{host}"),
        }
    }
    let mut message = stage.partner.get("/orders");
    message.host = "[2001:DB8::1]:8080".to_owned();
    assert_eq!(ask(stage.address, &message.bytes().await).await.status, 200);
}

#[tokio::test]
async fn an_absolute_target_is_no_second_authority() {
    let stage = Stage::start().await;
    let with = |target: &'static str| {
        let message = stage.partner.get("/orders");
        async move {
            let mut request = message.sign().await;
            request.line = format!("GET {target} HTTP/1.1");
            request.bytes()
        }
    };
    // The same that `Host` says: what is verified and what arrives is its path.
    let answer = ask(stage.address, &with("http://api.test/orders").await).await;
    assert_eq!((answer.status, answer.json()["target"].as_str()), (200, Some("/orders")));
    for target in [
        "http://evil.test/orders",
        "https://api.test/orders",
        "http://api.test@evil.test/orders",
        "http://api.test:8080/orders",
        "ftp://api.test/orders",
        "api.test:80",
    ] {
        assert_eq!(ask(stage.address, &with(target).await).await.code(), "malformed", "{target}");
    }
    assert_eq!(stage.upstream.requests(), 1);
}

#[tokio::test]
async fn a_path_that_another_server_would_tidy_up_is_refused_whoever_signed_it() {
    let stage = Stage::start().await;
    for target in [
        "//orders",
        "/orders//1",
        "/./orders",
        "/orders/.",
        "/orders/./1",
        "/orders/..",
        "/orders/../orders",
        "/orders/%2e",
        "/orders/%2E%2e/x",
        "/orders/.%2e/x",
        "/orders%2f1",
        "/orders%5c1",
        "/orders\\1",
        "/orders/%00",
        "/orders/%",
        "/orders/%4",
        "/orders/%zz",
        "/orders/1#x",
        "/%6frders",
        "/orders;v=1/1",
    ] {
        let mut request = stage.partner.get("/orders").sign().await;
        request.line = format!("GET {target} HTTP/1.1");
        let answer = ask(stage.address, &request.bytes()).await;
        assert_ne!(answer.status, 200, "{target}");
    }
    assert_eq!(stage.upstream.requests(), 0);
    // What is unusual, and the same to everybody, passes as it stands.
    for target in ["/orders/", "/orders/1;v=1", "/orders/caf%C3%A9", "/orders/a%20b", "/orders/..x", "/orders?a=//../"]
    {
        let answer = ask(stage.address, &stage.partner.get(target).bytes().await).await;
        assert_eq!((answer.status, answer.json()["target"].as_str()), (200, Some(target)));
    }
}

#[tokio::test]
async fn an_expectation_is_met_once_or_not_at_all() {
    let stage = Stage::start().await;
    // Without a body there is nothing to wait for.
    let request = stage.partner.get("/orders").sign().await.with("Expect", "100-continue");
    let all = String::from_utf8(send(stage.address, &request.bytes()).await).unwrap();
    assert!(all.starts_with("HTTP/1.1 200 "), "{all}");
    for expectations in [&["100-continue", "100-continue"][..], &["100-continue, 100-continue"], &["x"], &[""]] {
        let mut request = stage.partner.post("/orders", "abc").sign().await;
        for expectation in expectations {
            request = request.with("Expect", expectation);
        }
        assert_eq!(ask(stage.address, &request.bytes()).await.code(), "malformed", "{expectations:?}");
    }
    // Who does not wait for the 100 gets its answer, and the next request is not taken for the body.
    let mut stream = TcpStream::connect(stage.address).await.unwrap();
    for body in ["abc", "GET /orders/smuggled HTTP/1.1\r\n\r\n"] {
        let request = stage.partner.post("/orders", body).sign().await.keep_alive().with("Expect", "100-continue");
        stream.write_all(&request.bytes()).await.unwrap();
        let mut answer = next(&mut stream).await;
        if answer.status == 100 {
            answer = next(&mut stream).await;
        }
        assert_eq!((answer.status, answer.json()["body"].as_str()), (200, Some(body)));
    }
}

#[tokio::test]
async fn methods_that_are_none_of_an_apis_are_refused_whoever_signed_them() {
    let stage = Stage::start().await;
    for method in ["CONNECT", "TRACE"] {
        let mut request = stage.partner.get("/orders").sign().await;
        request.line = format!("{method} /orders HTTP/1.1");
        assert_eq!(ask(stage.address, &request.bytes()).await.code(), "malformed", "{method}");
    }
    let mut star = stage.partner.get("/orders").method("OPTIONS").sign().await;
    star.line = "OPTIONS * HTTP/1.1".to_owned();
    assert_eq!(ask(stage.address, &star.bytes()).await.code(), "no_route");
    assert_eq!(stage.upstream.requests(), 0);
    for method in ["OPTIONS", "PATCH", "PROPFIND"] {
        let answer = ask(stage.address, &stage.partner.get("/orders").method(method).bytes().await).await;
        assert_eq!((answer.status, answer.json()["method"].as_str()), (200, Some(method)));
    }
    // A signature over one method is none over another, however it is spelled.
    for method in ["POST", "get", "Get"] {
        let mut request = stage.partner.get("/orders").sign().await;
        request.line = format!("{method} /orders HTTP/1.1");
        assert_eq!(ask(stage.address, &request.bytes()).await.code(), "bad_signature", "{method}");
    }
}

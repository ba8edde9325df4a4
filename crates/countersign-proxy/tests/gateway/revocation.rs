//! Certificates of callers that are revoked: at the handshake, on open connections, by lists of every kind.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::client::Resumption;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::authority::{Authority, Wanted};
use crate::mutual::{Mutual, get, readyz};
use crate::stage::{Setting, Stage};
use crate::tls::{Caller, ask_on};
use crate::upstream::Upstream;

#[tokio::test]
async fn a_revoked_certificate_is_refused_at_the_handshake() {
    let mutual = Mutual::with_crl(&[9]);
    let stage = mutual.start().await;
    let revoked = mutual.caller(Wanted { serial: 9, ..Wanted::default() });
    assert!(revoked.ask(&stage, &get(&stage).await).await.is_err());
    assert_eq!(mutual.caller(Wanted::default()).ask(&stage, &get(&stage).await).await.unwrap().status, 200);
    stage.log.says("Revoked").await;
}

#[tokio::test]
async fn a_resumption_never_skips_the_check_of_the_certificate() {
    let mutual = Mutual::with_crl(&[]);
    let stage = mutual.start().await;
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let mut caller = Caller::with(&mutual.files, Some(&mutual.partners.client(Wanted::default())), &[version]);
        caller.config.resumption = Resumption::in_memory_sessions(8);
        for _ in 0..3 {
            let mut stream = caller.connect(&stage).await.unwrap();
            assert_eq!(ask_on(&mut stream, &get(&stage).await).await.unwrap().status, 200);
            assert_ne!(stream.get_ref().1.handshake_kind(), Some(rustls::HandshakeKind::Resumed));
        }
        assert_eq!(stage.settings.tls, Some(mutual.settings()));
    }
}

#[tokio::test]
async fn a_certificate_revoked_on_an_open_connection_of_http_1_stops_working() {
    let mutual = Mutual::with_crl(&[]);
    let stage = mutual.start().await;
    let mut stream = mutual.caller(Wanted::default()).connect(&stage).await.unwrap();
    let mut other = mutual.caller(Wanted { serial: 8, ..Wanted::default() }).connect(&stage).await.unwrap();
    assert_eq!(ask_on(&mut stream, &get(&stage).await).await.unwrap().status, 200);
    mutual.revoke(&[7], -30, 3600);
    mutual.reload(&stage).unwrap();
    let answer = ask_on(&mut stream, &get(&stage).await).await.unwrap();
    assert_eq!((answer.status, answer.code().as_str()), (401, "channel_mismatch"));
    assert!(answer.json()["detail"].as_str().unwrap_or_default().contains("Revoked"), "{answer:?}");
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(ask_on(&mut stream, &get(&stage).await).await.is_err());
    // Nobody else notices.
    assert_eq!(ask_on(&mut other, &get(&stage).await).await.unwrap().status, 200);
    assert_eq!(stage.upstream.requests(), 2);
}

#[tokio::test]
async fn a_certificate_revoked_on_an_open_connection_of_http_2_stops_working() {
    let mutual = Mutual::with_crl(&[]);
    let stage = mutual.start().await;
    let stream = mutual.caller(Wanted::default()).speaking(&["h2"]).connect(&stage).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let ended = tokio::spawn(connection);
    let request = || http::Request::get("https://api.test/orders").body(Full::new(Bytes::new())).unwrap();
    let response = sender.send_request(request()).await.unwrap();
    assert_eq!(response.status(), 401);
    response.into_body().collect().await.unwrap();
    mutual.revoke(&[7], -30, 3600);
    mutual.reload(&stage).unwrap();
    let response = sender.send_request(request()).await.unwrap();
    assert_eq!(response.status(), 401);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert!(String::from_utf8_lossy(&body).contains("channel_mismatch"), "{body:?}");
    // RFC 9113 §6.8: the connection ends in order.
    tokio::time::timeout(Duration::from_secs(3), ended).await.expect("it stays open").unwrap().unwrap();
}

#[tokio::test]
async fn a_certificate_revoked_while_the_body_came_lets_nothing_through() {
    let mutual = Mutual::with_crl(&[]);
    let stage = mutual.start().await;
    let mut stream = mutual.caller(Wanted::default()).connect(&stage).await.unwrap();
    let request = stage.partner.post("/orders", "abcdef").bytes().await;
    stream.write_all(&request[..request.len() - 3]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    mutual.revoke(&[7], -30, 3600);
    mutual.reload(&stage).unwrap();
    let answer = ask_on(&mut stream, b"def").await.unwrap();
    assert_eq!((answer.status, answer.code().as_str()), (401, "channel_mismatch"));
    assert_eq!(stage.upstream.requests(), 0);
}

#[tokio::test]
async fn a_list_that_has_ended_tells_nothing_so_nobody_of_it_passes_and_it_is_said() {
    let mutual = Mutual { crl: true, ..Mutual::new() };
    mutual.revoke(&[], -60, 100);
    let stage = mutual.start().await;
    let mut stream = mutual.caller(Wanted::default()).connect(&stage).await.unwrap();
    assert_eq!(ask_on(&mut stream, &get(&stage).await).await.unwrap().status, 200);
    assert_eq!(readyz(&stage).await["tls"]["faults"], serde_json::json!([]));
    stage.ahead.store(101_000, Ordering::SeqCst);
    let answer = ask_on(&mut stream, &get(&stage).await).await.unwrap();
    assert_eq!((answer.status, answer.code().as_str()), (401, "channel_mismatch"));
    assert!(mutual.caller(Wanted::default()).ask(&stage, &get(&stage).await).await.is_err());
    let ready = readyz(&stage).await;
    assert_eq!((&ready["ready"], &ready["missing"][0]["what"]), (&false.into(), &"revocations".into()), "{ready}");
    assert!(ready["tls"]["faults"][0].as_str().unwrap().contains("has ended"), "{ready}");
    stage.log.says("\"event\":\"tls\"").await;
    // A new one, and it goes on.
    mutual.revoke(&[], -30, 3600);
    mutual.reload(&stage).unwrap();
    assert_eq!(mutual.caller(Wanted::default()).ask(&stage, &get(&stage).await).await.unwrap().status, 200);
    assert_eq!(readyz(&stage).await["ready"], true);
}

#[tokio::test]
async fn a_list_that_is_unreadable_too_large_stale_or_older_leaves_the_last_good_one_in_force() {
    let mutual = Mutual::with_crl(&[9]);
    let stage = mutual.start().await;
    let path = mutual.files.path("crl");
    let good = std::fs::read(&path).unwrap();
    let half = good[..good.len() / 2].to_vec();
    let other = Authority::new("Partners").crl(&[], -600, 3600);
    for (content, what) in [
        (half, "crl"),
        (b"garbage".to_vec(), "crl"),
        (Vec::new(), "crl"),
        (vec![b'x'; (32 << 20) + 1], "larger"),
        (mutual.partners.crl(&[], -600, 3600), "un-revoke"),
        (mutual.partners.crl(&[], -30, -10), "has ended"),
        (mutual.partners.crl_numbered(6, &[], -30, 3600), "lower number"),
        (other, "un-revoke"),
    ] {
        std::fs::write(&path, content).unwrap();
        let fault = mutual.reload(&stage).unwrap_err();
        assert!(fault.contains(what) && fault.contains("crl"), "{what}: {fault}");
        assert!(readyz(&stage).await["reload"]["failed"].as_str().unwrap().contains(what));
        let revoked = mutual.caller(Wanted { serial: 9, ..Wanted::default() });
        assert!(revoked.ask(&stage, &get(&stage).await).await.is_err());
        assert_eq!(mutual.caller(Wanted::default()).ask(&stage, &get(&stage).await).await.unwrap().status, 200);
    }
    std::fs::remove_file(&path).unwrap();
    assert!(mutual.reload(&stage).unwrap_err().contains("can't read"));
    std::fs::write(&path, good).unwrap();
    mutual.reload(&stage).unwrap();
    assert!(readyz(&stage).await.get("reload").is_none());
}

#[tokio::test]
async fn a_list_of_another_authority_says_nothing_of_a_certificate_so_it_is_refused() {
    let mutual = Mutual::with_crl(&[]);
    std::fs::write(mutual.files.path("crl"), Authority::new("Others").crl(&[], -60, 3600)).unwrap();
    let stage = mutual.start().await;
    assert!(mutual.caller(Wanted::default()).ask(&stage, &get(&stage).await).await.is_err());
}

#[tokio::test]
async fn a_reload_under_load_drops_nothing_and_a_broken_pair_keeps_the_old_one() {
    let mutual = Mutual::with_crl(&[]);
    let stage = std::sync::Arc::new(mutual.start().await);
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (caller, stage) = (mutual.caller(Wanted::default()), std::sync::Arc::clone(&stage));
        callers.spawn(async move {
            let mut stream = caller.connect(&stage).await.unwrap();
            for round in 0..40 {
                if round % 8 == 7 {
                    stream = caller.connect(&stage).await.unwrap();
                }
                assert_eq!(ask_on(&mut stream, &get(&stage).await).await.unwrap().status, 200);
            }
        });
    }
    for round in 0..12_u8 {
        mutual.files.authority.server().write(mutual.files.dir.path(), "server");
        if round % 3 == 2 {
            let stranger = Authority::new("Others").server();
            std::fs::write(mutual.files.path("server.key"), stranger.key_pem()).unwrap();
            assert!(mutual.reload(&stage).unwrap_err().contains("does not belong"));
        } else {
            mutual.revoke(&[100 + round], -50 + i64::from(round), 3600);
            mutual.reload(&stage).unwrap();
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    while let Some(done) = callers.join_next().await {
        done.unwrap();
    }
    assert_eq!(stage.upstream.requests(), 160);
}

#[tokio::test]
async fn a_tunnel_ends_within_a_second_of_its_certificate_being_revoked() {
    let mutual = Mutual::with_crl(&[]);
    let setting = Setting { tls: Some(mutual.settings()), ..Setting::default() };
    let stage = Stage::before(Upstream::switching("websocket").await, setting);
    let mut tunnels = Vec::new();
    for serial in [7, 8] {
        let mut stream = mutual.caller(Wanted { serial, ..Wanted::default() }).connect(&stage).await.unwrap();
        let request = stage.partner.get("/orders/live").sign().await.keep_alive();
        let request = request.with("Connection", "Upgrade").with("Upgrade", "websocket");
        stream.write_all(&request.bytes()).await.unwrap();
        // The answer, and the request as the upstream echoes it.
        let mut heard = Vec::new();
        while heard.windows(4).filter(|it| it == b"\r\n\r\n").count() < 2 {
            heard.push(stream.read_u8().await.unwrap());
        }
        assert!(heard.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&heard));
        tunnels.push(stream);
    }
    mutual.revoke(&[7], -30, 3600);
    mutual.reload(&stage).unwrap();
    let mut byte = [0];
    let ended = tokio::time::timeout(Duration::from_secs(2), tunnels[0].read(&mut byte)).await.expect("it goes on");
    assert!(!matches!(ended, Ok(1)));
    tunnels[1].write_all(b"x").await.unwrap();
    assert_eq!(tunnels[1].read_u8().await.unwrap(), b'x');
}

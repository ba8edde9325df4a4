//! Certificates of callers: whose are taken, for how long, and whose signature goes with them.

use std::sync::atomic::Ordering;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign::Demands;
use rcgen::ExtendedKeyUsagePurpose;

use crate::admitted::arrived;
use crate::authority::{Authority, Wanted};
use crate::mutual::{Mutual, get};
use crate::stage::Setting;
use crate::tls::{Caller, ask_on};

#[tokio::test]
async fn the_upstream_is_told_the_certificate_and_no_other_than_the_one_shown() {
    let mutual = Mutual::new();
    let stage = mutual.start().await;
    let shown = mutual.partners.client(Wanted::default());
    let caller = Caller::new(&mutual.files, Some(&shown));
    let forged =
        stage.partner.get("/orders").sign().await.with("Client-Cert", ":Zm9yZ2Vk:").with("Client_Cert", ":eA==:");
    let answer = caller.ask(&stage, &forged.with("Client-Cert-Chain", ":eA==:").bytes()).await.unwrap();
    let echo = answer.json();
    assert_eq!(arrived(&echo, "client-cert"), [format!(":{}:", STANDARD.encode(&shown.chain[0]))]);
    assert!(arrived(&echo, "client_cert").is_empty() && arrived(&echo, "client-cert-chain").is_empty(), "{echo}");
}

#[tokio::test]
async fn a_certificate_that_is_required_is_required() {
    let mutual = Mutual::new();
    let stage = mutual.start().await;
    assert!(Caller::new(&mutual.files, None).ask(&stage, &get(&stage).await).await.is_err());
    assert_eq!(stage.upstream.requests(), 0);
    assert_eq!(mutual.caller(Wanted::default()).ask(&stage, &get(&stage).await).await.unwrap().status, 200);
}

#[tokio::test]
async fn an_optional_certificate_may_be_absent_but_not_wrong() {
    let mutual = Mutual { required: false, ..Mutual::new() };
    let stage = mutual.start().await;
    let answer = Caller::new(&mutual.files, None).ask(&stage, &get(&stage).await).await.unwrap();
    assert!(answer.status == 200 && arrived(&answer.json(), "client-cert").is_empty(), "{answer:?}");
    let expired = mutual.caller(Wanted { validity: (-7200, -3600), ..Wanted::default() });
    assert!(expired.ask(&stage, &get(&stage).await).await.is_err());
}

#[tokio::test]
async fn a_certificate_that_is_expired_not_yet_valid_for_servers_only_or_of_another_authority_is_refused() {
    let mutual = Mutual::new();
    let stage = mutual.start().await;
    let expired = mutual.caller(Wanted { validity: (-7200, -3600), ..Wanted::default() });
    let early = mutual.caller(Wanted { validity: (3600, 7200), ..Wanted::default() });
    let server_only = mutual.caller(Wanted { purpose: ExtendedKeyUsagePurpose::ServerAuth, ..Wanted::default() });
    let foreign = Authority::new("Partners").client(Wanted::default());
    let foreign = Caller::new(&mutual.files, Some(&foreign));
    for (caller, what) in [(expired, "Expired"), (early, "NotValidYet"), (server_only, "purpose"), (foreign, "")] {
        let outcome = caller.ask(&stage, &get(&stage).await).await;
        assert!(outcome.is_err(), "{what}: {outcome:?}");
    }
    assert_eq!(stage.upstream.requests(), 0);
}

#[tokio::test]
async fn a_certificate_that_ends_on_an_open_connection_stops_working() {
    let mutual = Mutual::new();
    let stage = mutual.start().await;
    let mut stream = mutual.caller(Wanted { validity: (-60, 100), ..Wanted::default() }).connect(&stage).await.unwrap();
    assert_eq!(ask_on(&mut stream, &get(&stage).await).await.unwrap().status, 200);
    stage.ahead.store(101_000, Ordering::SeqCst);
    let answer = ask_on(&mut stream, &get(&stage).await).await.unwrap();
    assert_eq!((answer.status, answer.code().as_str()), (401, "channel_mismatch"));
    assert_eq!(stage.upstream.requests(), 1);
}

#[tokio::test]
async fn a_connection_without_certificate_ends_where_one_is_asked_for_by_now() {
    let mut mutual = Mutual { required: false, ..Mutual::new() };
    let stage = mutual.start().await;
    let mut stream = Caller::new(&mutual.files, None).connect(&stage).await.unwrap();
    assert_eq!(ask_on(&mut stream, &get(&stage).await).await.unwrap().status, 200);
    mutual.required = true;
    mutual.reload(&stage).unwrap();
    assert_eq!(ask_on(&mut stream, &get(&stage).await).await.unwrap().status, 401);
}

#[tokio::test]
async fn an_authority_that_is_no_longer_trusted_takes_its_open_connections_along() {
    let mutual = Mutual::new();
    let stage = mutual.start().await;
    let mut stream = mutual.caller(Wanted::default()).connect(&stage).await.unwrap();
    assert_eq!(ask_on(&mut stream, &get(&stage).await).await.unwrap().status, 200);
    std::fs::write(mutual.files.path("ca.pem"), Authority::new("Partners").pem()).unwrap();
    mutual.reload(&stage).unwrap();
    assert_eq!(ask_on(&mut stream, &get(&stage).await).await.unwrap().status, 401);
}

#[tokio::test]
async fn the_certificate_of_one_partner_and_the_signature_of_another_do_not_pass() {
    let mutual = Mutual { required: false, ..Mutual::new() };
    let demands = Demands { same_partner_channel: true, ..Setting::default().demands };
    let stage = mutual.start_with(Setting { demands, ..Setting::default() }).await;
    assert_eq!(mutual.caller(Wanted::default()).ask(&stage, &get(&stage).await).await.unwrap().status, 200);
    let other = mutual.caller(Wanted { name: "other", ..Wanted::default() });
    let nameless = mutual.caller(Wanted { name: "Acme", ..Wanted::default() });
    for caller in [other, nameless, Caller::new(&mutual.files, None)] {
        let answer = caller.ask(&stage, &get(&stage).await).await.unwrap();
        assert_eq!((answer.status, answer.code().as_str()), (401, "channel_mismatch"));
        // The connection is fine for other routes, and its owner.
        assert_ne!(answer.header("connection"), Some("close"));
    }
    assert_eq!(stage.upstream.requests(), 1);
}

#[tokio::test]
async fn at_level_code_another_channel_reads_as_a_bad_signature() {
    let mutual = Mutual::new();
    let demands = Demands { same_partner_channel: true, ..Setting::default().demands };
    let refusals = countersign_proxy::Disclosure::Code;
    let stage = mutual.start_with(Setting { demands, refusals, ..Setting::default() }).await;
    let other = mutual.caller(Wanted { name: "other", ..Wanted::default() });
    let answer = other.ask(&stage, &get(&stage).await).await.unwrap();
    assert_eq!((answer.status, answer.code().as_str()), (401, "signature_invalid"));
    assert!(!answer.body.contains("channel") && !answer.body.contains("certificate"), "{answer:?}");
}

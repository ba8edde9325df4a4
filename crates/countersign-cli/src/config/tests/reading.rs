use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use super::*;
use crate::config::document::{self, Table, Value};
use crate::config::reader::Reader;
use crate::config::{
    Algorithm, Allow, Channel, ClientAuth, Durability, Health, Http, Layout, Mode, Nonce, NonceForm, PkiReplay, Rate,
    Refusals, RegistryUrl, ReplayUrl, Route, Scheme, Source, TokenAlgorithm, Unit, User, Zone,
};

const MINUTE: Duration = Duration::from_secs(60);

fn shown(route: &Route) -> Vec<String> {
    route.upstream.iter().map(ToString::to_string).collect()
}

#[test]
fn an_empty_file_gives_the_defaults_of_the_contract() {
    let (config, warnings) = read("").unwrap();
    assert!(warnings.is_empty() && config.routes.is_empty() && config.token.is_none() && config.sidecar.is_none());
    assert_eq!(config.data, Path::new("/etc/countersign-data"));
    assert_eq!(config.gateway.listen, ["127.0.0.1:8080".parse().unwrap()]);
    assert!(config.gateway.public_url.is_empty() && config.gateway.trusted_proxies.is_empty());
    assert!(!config.gateway.insecure_listen && !config.gateway.any_authority && config.gateway.tls.is_none());
    assert_eq!(config.admin.listen, "127.0.0.1:9090".parse().unwrap());
    assert_eq!(config.registry.url, Source::Url(RegistryUrl::Sqlite("/etc/countersign-data/registry.db".into())));
    assert_eq!(config.replay.url, Source::Url(ReplayUrl::Memory));
    assert_eq!(config.evidence.durability, Durability::Strict);
    assert!(config.seal.keys.is_empty());
}

#[test]
fn a_route_of_path_and_upstream_has_the_defaults_of_the_contract() {
    let (config, warnings) = read(ROUTE).unwrap();
    let route = &config.routes[0];
    assert!(warnings.is_empty());
    assert_eq!((route.path.as_str(), shown(route)), ("/orders", vec!["http://127.0.0.1:9000".to_owned()]));
    assert!(route.health.is_none());
    assert_eq!((route.schemes.as_slice(), route.mode), (&[Scheme::HttpMessageSignatures][..], Mode::Enforce));
    assert_eq!(route.require, ["@method", "@authority", "@path", "@query", "content-digest"]);
    assert_eq!((route.max_age, route.max_skew, route.max_body), (5 * MINUTE, None, 10 << 20));
    assert_eq!((route.channel, route.user, route.refusals), (Channel::Any, User::Ignored, Refusals::Code));
    assert!(route.partners.is_empty() && route.open.is_empty() && route.rate.is_none());
    assert!(!route.unbound && !route.unsigned_target && !route.sign_responses);
    assert_eq!(route.http_message_signatures.nonce, Nonce::Required);
    assert_eq!((route.pki.replay, route.pki.zone), (PkiReplay::Protected, Zone::Required));
}

#[test]
fn every_setting_of_the_contract_is_read() {
    let config = config(EVERYTHING);
    assert_eq!(config.data, Path::new("/var/lib/countersign"));
    let gateway = &config.gateway;
    assert_eq!(gateway.listen.len(), 2);
    assert_eq!(
        gateway.public_url.iter().map(super::super::origin::Origin::authority).collect::<Vec<_>>(),
        ["api.example.net", "api.example.net:8443"]
    );
    assert_eq!(gateway.trusted_proxies[2].to_string(), "192.0.2.7/32");
    assert!(gateway.proxy_protocol && gateway.insecure_listen && gateway.any_authority && gateway.workers == Some(3));
    let limits = &gateway.limits;
    let times = [
        limits.head_timeout,
        limits.body_timeout,
        limits.idle_timeout,
        limits.connect_timeout,
        limits.upstream_timeout,
        limits.shutdown_delay,
        limits.upstream_idle_timeout,
        limits.handover_timeout,
    ];
    assert_eq!(times.map(|time| time.as_secs()), [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(limits.shutdown_timeout, Duration::ZERO);
    assert_eq!((limits.max_head, limits.max_headers, limits.max_connections), (128 << 10, 50, 10));
    assert_eq!((limits.body_in_memory, limits.memory_space, limits.spool_space), (1 << 20, 100 << 20, 2 << 30));
    assert_eq!(gateway.spool_dir.as_deref(), Some(Path::new("/var/spool/countersign")));
    assert_eq!((limits.min_body_rate, limits.max_connections_per_source), (1 << 10, 4));
    assert_eq!((limits.write_timeout.as_secs(), limits.tunnel_idle_timeout.as_secs()), (8, 9));
    assert_eq!((limits.max_streams, limits.max_resets), (7, 3));
    assert_eq!(limits.source_rate, Rate { count: 500, per: Duration::from_secs(1) });
    assert!(limits.limit_loopback);
    let tls = gateway.tls.as_ref().unwrap();
    assert_eq!(tls.key, Path::new("/run/secrets/tls.key"));
    assert_eq!((tls.client_auth, tls.client_ca.is_some(), tls.crl.is_some()), (ClientAuth::Required, true, true));
    assert_eq!(config.admin.listen, "[::1]:9091".parse().unwrap());
    assert!(
        matches!(&config.registry.url, Source::Url(RegistryUrl::Postgres(url)) if url.expose().ends_with("/registry"))
    );
    assert_eq!((config.registry.max_stale.as_secs(), config.replay.max_entries), (10, 5000));
    assert!(matches!(config.replay.url, Source::Url(ReplayUrl::Redis(_))));
    assert_eq!(config.evidence.durability, Durability::Buffered);
    let token = config.token.as_ref().unwrap();
    assert_eq!((token.algorithm, token.lifetime, token.default_credits), (TokenAlgorithm::Rs256, 90 * MINUTE, 0));
    assert_eq!(
        (token.issuer.as_str(), token.audience.as_str(), token.shared_users),
        ("https://tokens.example.net", "shop", true)
    );
    assert_eq!(config.seal.keys, ["seal-2.pem", "seal-1.pem"].map(Path::new));
    let days = |days: u64| Duration::from_hours(days * 24);
    assert_eq!((config.seal.rotate, config.seal.overlap), (days(180), days(30)));
    assert_eq!(config.seal.algorithm, crate::config::SealAlgorithm::RsaOaep256);
}

#[test]
fn every_setting_of_a_route_is_read() {
    let config = config(EVERYTHING);
    let route = &config.routes[0];
    assert_eq!(shown(route), ["https://orders.internal", "http://127.0.0.1:9001"]);
    assert_eq!(route.health, Some(Health { path: "/health?deep=1".to_owned(), interval: Duration::from_secs(2) }));
    assert_eq!(route.schemes, Scheme::ALL);
    assert_eq!((route.mode, route.channel, route.refusals), (Mode::Observe, Channel::SamePartner, Refusals::Full));
    assert_eq!(route.partners, ["acme", "b.c_d-1"]);
    assert_eq!((route.max_age, route.max_skew, route.max_body), (MINUTE, Some(Duration::from_secs(1)), 1_000_000));
    assert_eq!(route.rate, Some(Rate { count: 600, per: MINUTE }));
    assert_eq!(route.open, ["/card/number", "/a~1b"]);
    assert!(route.unbound && route.unsigned_target && route.sign_responses);
    let settings = &route.http_message_signatures;
    assert_eq!((settings.tag.as_deref(), settings.nonce), (Some("orders"), Nonce::Optional));
    assert_eq!(settings.algorithms, [Algorithm::Ed25519, Algorithm::MlDsa65]);
    assert_eq!(
        (route.pki.signer.as_deref(), route.pki.replay, route.pki.zone),
        (Some("legacy-1"), PkiReplay::Unprotected, Zone::Utc)
    );
    assert_eq!((config.routes[1].user, config.routes[1].schemes.len()), (User::Required, 0));
}

#[test]
fn every_setting_of_the_sidecar_is_read() {
    let sidecar = config(EVERYTHING).sidecar.unwrap();
    assert_eq!(sidecar.listen, Some(countersign_proxy::Address::Unix("/run/sidecar.sock".into())));
    assert_eq!(sidecar.to.unwrap().to_string(), "https://api.example.net");
    assert_eq!((sidecar.key.as_deref(), sidecar.id.as_deref()), (Some(Path::new("sender.pem")), Some("sender-1")));
    assert_eq!((sidecar.scheme, sidecar.algorithm), (Scheme::AppHmac, Some(Algorithm::HmacSha256)));
    assert_eq!(
        (sidecar.timestamp_unit, sidecar.nonce_form, sidecar.layout),
        (Some(Unit::Milliseconds), Some(NonceForm::Uuid), Some(Layout::PayloadFirst))
    );
    assert_eq!((sidecar.http, sidecar.max_body), (Http::Two, Some(1 << 20)));
    assert_eq!((sidecar.socket_mode, sidecar.socket_group.as_deref()), (Some(0o660), Some("www-data")));
    assert!(sidecar.allow_remote && sidecar.verify_responses && sidecar.client_certificate.is_some());
    let everything = Allow { method: None, path: "/status".into() };
    assert_eq!(sidecar.allow, [Allow { method: Some("POST".into()), path: "/orders".into() }, everything]);
    let seal = sidecar.seal.unwrap();
    let file = super::super::SealFor::File("gateway-seal.pub".into());
    assert_eq!((seal.fields.len(), seal.to, seal.partner.as_str()), (1, file, "acme"));
    assert_eq!(seal.if_present, ["/card/cvc"]);
    assert_eq!((seal.kid.as_deref(), seal.expires), (Some("seal-2026"), Duration::from_mins(5)));
}

#[test]
fn what_the_sidecar_seals_can_be_a_list_beside_the_partner() {
    let short = config("[sidecar]\nseal = [\"/card/number\", \"/cards/*/number\"]\npartner = \"acme\"\n");
    let seal = short.sidecar.unwrap().seal.unwrap();
    assert_eq!(seal.fields, ["/card/number", "/cards/*/number"]);
    assert_eq!((seal.to, seal.partner.as_str()), (super::super::SealFor::Destination, "acme"));
    assert_eq!((seal.kid, seal.expires, seal.if_present.len()), (None, Duration::from_mins(10), 0));
    let section = config("[sidecar]\npartner = \"acme\"\n[sidecar.seal]\nfields = [\"/card/number\"]\n");
    assert_eq!(section.sidecar.unwrap().seal.unwrap().partner, "acme");
    let given = read_with("[sidecar]\npartner = \"acme\"\n", &[("COUNTERSIGN_SIDECAR__SEAL", "/a,/b")]).unwrap().0;
    assert_eq!(given.sidecar.unwrap().seal.unwrap().fields, ["/a", "/b"]);

    // Nothing tells whom the key belongs to at the gateway, and for another partner nothing would open.
    for text in ["[sidecar]\nseal = [\"/card/number\"]\n", "[sidecar]\n[sidecar.seal]\nfields = [\"/card/number\"]\n"] {
        assert!(fault(text).contains(" lacks \"partner\""), "{text}");
        assert!(
            hints(text)[0].starts_with("partner = \"acme\", with the name under which the gateway knows you"),
            "{text}"
        );
    }
    assert!(fault("[sidecar]\npartner = \"a\"\nseal = [\"card\"]\n").contains("expected a JSON pointer"));
    assert_eq!(hints("[sidecar]\npartner = \"a\"\nseal = \"/card\"\n"), ["write seal = [\"/card\"]"]);
}

#[test]
fn the_sample_of_these_tests_leaves_no_setting_out() {
    fn paths(table: &Table, section: &str, out: &mut BTreeSet<String>) {
        for (key, (_, node)) in table {
            let path = if section.is_empty() { key.clone() } else { format!("{section}.{key}") };
            match &node.value {
                Value::Table(table) => paths(table, &path, out),
                Value::List(items) if key == "route" => items.iter().for_each(|item| {
                    if let Value::Table(table) = &item.value {
                        paths(table, &path, out);
                    }
                }),
                _ => _ = out.insert(path),
            }
        }
    }
    let mut sample = BTreeSet::new();
    paths(&document::parse(EVERYTHING, &"c.toml".into()).unwrap(), "", &mut sample);
    let mut reader = Reader::new(Path::new("c.toml"), std::iter::empty());
    reader.read(Table::new(), |document| Config::of(document, Path::new("c.toml")));
    let known = reader.known.iter().filter(|it| !it.is_section && it.key != "url_file");
    let known: BTreeSet<String> = known
        .map(|it| if it.section.is_empty() { it.key.into() } else { format!("{}.{}", it.section, it.key) })
        .collect();
    assert_eq!(sample, known);
}

#[test]
fn relative_paths_start_at_the_directory_of_the_file() {
    let text = "data = \"d\"\n[seal]\nkeys = [\"a.pem\", \"/b.pem\"]\n";
    let (config, _) = Config::read(text, Path::new("etc/c.toml"), std::iter::empty()).unwrap();
    assert_eq!(
        (config.data.as_path(), config.seal.keys.as_slice()),
        (Path::new("etc/d"), &["etc/a.pem".into(), "/b.pem".into()][..])
    );
    assert_eq!(config.registry.url, Source::Url(RegistryUrl::Sqlite("etc/d/registry.db".into())));
    let (config, _) = Config::read("", Path::new("c.toml"), std::iter::empty()).unwrap();
    assert_eq!(config.data, Path::new("countersign-data"));
}

#[test]
fn a_skew_of_zero_is_one_and_an_empty_body_is_a_limit() {
    let config = config(&route("max_skew = \"0s\"\nmax_body = 0"));
    assert_eq!((config.routes[0].max_skew(Scheme::AppHmac), config.routes[0].max_body), (Duration::ZERO, 0));
}

#[test]
fn the_skew_of_the_later_schemes_is_wider_unless_the_file_says_otherwise() {
    let skews = |text: &str| {
        Scheme::ALL.iter().map(|scheme| config(text).routes[0].max_skew(*scheme).as_secs()).collect::<Vec<_>>()
    };
    assert_eq!(skews(ROUTE), [30, 30, 300, 300]);
    assert_eq!(skews(&route("max_skew = \"10s\"")), [10; 4]);
}

#[test]
fn the_past_is_remembered_as_long_as_the_longest_route_admits_it() {
    let text = format!(
        "{ROUTE}max_age = \"1h\"\n[[route]]\npath = \"/b\"\nupstream = \"http://h\"\nschemes = [\"app-hmac\"]\n"
    );
    assert_eq!(config(&text).window(), Duration::from_secs(3630));
    assert_eq!(config(&text).routes[1].window(), Duration::from_secs(600));
    assert_eq!(config("").window(), Duration::ZERO);
}

#[test]
fn an_issuer_is_the_public_url_or_has_to_be_named() {
    let public = "gateway.public_url = [\"https://a.example\"]\n[token]\n";
    assert_eq!(config(public).token.unwrap().issuer, "https://a.example");
    assert_eq!(fault("[token]\n"), "countersign.toml:1:1: [token] lacks \"issuer\"");
}

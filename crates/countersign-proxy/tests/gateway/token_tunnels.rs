//! Tunnels that a user token opened, alone or beside a signature: they end as the token does.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use countersign::{Demands, IssuedToken, KeyRecord, KeyState, Keys, Revocation, Revocations, TokenKeys, VerifyingKey};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::client::read_all;
use crate::signer::now;
use crate::tokens::{Taking, demands, site};
use crate::upgrade::{hears, next_head};
use crate::upstream::Upstream;

/// A gateway before an API that switches, and a tunnel through it.
struct Tunnelled {
    taking: Taking,
    token: IssuedToken,
    stream: TcpStream,
}

impl Tunnelled {
    /// Opened by a token alone, or beside a signature.
    async fn open(beside: bool) -> Self {
        let schemes = if beside { Demands::default().schemes } else { Vec::new() };
        let demands = Demands { schemes, user_token: true, ..demands() };
        let taking = Taking::before(Upstream::switching("websocket").await, demands, None);
        let token = taking.issue_at("shop", now());
        let request = if beside {
            let signed = taking.signed(&token.token).sign().await.keep_alive();
            signed.with("Connection", "Upgrade").with("Upgrade", "websocket").bytes()
        } else {
            let bearer = &token.token;
            let head = "GET /orders HTTP/1.1\r\nHost: api.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";
            format!("{head}Authorization: Bearer {bearer}\r\n\r\n").into_bytes()
        };
        let mut stream = TcpStream::connect(taking.stage.address).await.unwrap();
        stream.write_all(&request).await.unwrap();
        let head = next_head(&mut stream).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        next_head(&mut stream).await;
        let mut tunnelled = Self { taking, token, stream };
        tunnelled.goes_on().await;
        tunnelled
    }

    /// Longer than it may take to notice.
    async fn goes_on(&mut self) {
        tokio::time::sleep(Duration::from_millis(600)).await;
        self.stream.write_all(b"x").await.unwrap();
        hears(&mut self.stream, b"x").await;
    }

    async fn ends_within_a_second(mut self, what: &str) {
        let since = Instant::now();
        assert!(read_all(&mut self.stream).await.is_empty(), "{what}");
        assert!(since.elapsed() < Duration::from_secs(1), "{what}: {:?}", since.elapsed());
    }
}

#[tokio::test]
async fn a_tunnel_ends_within_a_second_of_its_token_being_revoked() {
    for beside in [false, true] {
        let revoked = [
            |_: &IssuedToken| Revocation::User("u-1".to_owned()),
            |_: &IssuedToken| Revocation::Site("shop".to_owned()),
            |_: &IssuedToken| Revocation::Partner("acme".to_owned()),
            |token: &IssuedToken| Revocation::Token(token.id.clone()),
        ];
        for what in revoked {
            let mut tunnel = Tunnelled::open(beside).await;
            let what = what(&tunnel.token);
            for other in [Revocation::User("u-2".to_owned()), Revocation::Site("mall".to_owned())] {
                tunnel.taking.revoke(other);
            }
            tunnel.goes_on().await;
            tunnel.taking.revoke(what.clone());
            tunnel.ends_within_a_second(&format!("{what:?}, beside a signature: {beside}")).await;
        }
    }
}

#[tokio::test]
async fn a_tunnel_ends_within_a_second_of_the_site_that_vouched_being_suspended_or_revoked() {
    for beside in [false, true] {
        for state in [KeyState::Revoked, KeyState::Retired] {
            let mut tunnel = Tunnelled::open(beside).await;
            tunnel.taking.sites(KeyState::Retiring);
            tunnel.goes_on().await;
            tunnel.taking.sites(state);
            tunnel.ends_within_a_second(&format!("{state}, beside a signature: {beside}")).await;
        }
    }
    let tunnel = Tunnelled::open(false).await;
    let record = KeyRecord { partner_active: false, ..site("acme", "shop", KeyState::Active).record().clone() };
    tunnel.taking.stage.keys.store(Arc::new(Keys::new([VerifyingKey::new(record).unwrap()])));
    tunnel.ends_within_a_second("its partner is suspended").await;
    // Of another partner by now, who never opened it.
    let tunnel = Tunnelled::open(false).await;
    tunnel.taking.stage.keys.store(Arc::new(Keys::new([site("rival", "shop", KeyState::Active)])));
    tunnel.ends_within_a_second("its site is another partner's").await;
}

#[tokio::test]
async fn a_tunnel_ends_as_its_token_expires() {
    for beside in [false, true] {
        let mut tunnel = Tunnelled::open(beside).await;
        tunnel.taking.stage.ahead.store(890_000, Ordering::SeqCst);
        tunnel.goes_on().await;
        tunnel.taking.stage.ahead.store(900_000, Ordering::SeqCst);
        tunnel.ends_within_a_second(&format!("beside a signature: {beside}")).await;
    }
}

#[tokio::test]
async fn a_tunnel_ends_with_the_key_of_its_token_and_where_nothing_can_be_told_of_it() {
    for beside in [false, true] {
        let tunnel = Tunnelled::open(beside).await;
        tunnel.taking.stage.token_keys.store(Arc::new(TokenKeys::new(Vec::new(), Revocations::default())));
        tunnel.ends_within_a_second(&format!("a leaked key was revoked, beside a signature: {beside}")).await;
        let tunnel = Tunnelled::open(beside).await;
        tunnel.taking.stage.switches.keys_down.store(true, Ordering::SeqCst);
        tunnel.ends_within_a_second(&format!("the registry is gone, beside a signature: {beside}")).await;
    }
}

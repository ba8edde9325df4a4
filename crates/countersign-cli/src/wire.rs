//! What a configuration means to the gateway.

use std::sync::Arc;

use countersign::{Demands, HttpMessageSignatures, Memory, Openers, Pki, Policy, Raised, TokenSettings};
use countersign_proxy::{
    AdminSettings, ClientAuthSettings, Disclosure, ExchangeSettings, GatewaySettings, HealthCheck, Limits, Quota,
    RouteSettings, TlsSettings,
};

use crate::config::{self, Channel, ClientAuth, Config, Mode, Nonce, PkiReplay, Rate, Refusals, Route, User, Zone};
use crate::exit::Failure;
use crate::file;

/// The gateway's settings. `raised` are shorter ages of before, see [`Memory`].
pub(crate) fn settings(config: &Config, raised: Vec<Raised>) -> Result<GatewaySettings, Failure> {
    let gateway = &config.gateway;
    let memory = Memory { raised, ..config.memory() };
    let defaults = Limits::default();
    let limits = Limits {
        head_bytes: usize::try_from(gateway.limits.max_head).unwrap_or(usize::MAX),
        head_fields: gateway.limits.max_headers,
        head_time: gateway.limits.head_timeout,
        body_time: gateway.limits.body_timeout,
        min_body_rate: gateway.limits.min_body_rate,
        idle_time: gateway.limits.idle_timeout,
        write_time: gateway.limits.write_timeout,
        tunnel_idle: gateway.limits.tunnel_idle_timeout,
        connect_time: gateway.limits.connect_timeout,
        response_time: gateway.limits.upstream_timeout,
        silence_time: gateway.limits.upstream_idle_timeout,
        shutdown_delay: gateway.limits.shutdown_delay,
        shutdown_grace: gateway.limits.shutdown_timeout,
        max_connections: gateway.limits.max_connections,
        max_connections_per_source: gateway.limits.max_connections_per_source,
        max_streams: u32::try_from(gateway.limits.max_streams).unwrap_or(u32::MAX),
        max_resets: gateway.limits.max_resets,
        body_in_memory: gateway.limits.body_in_memory,
        max_held: gateway.limits.memory_space,
        max_spooled: gateway.limits.spool_space,
        source_rate: Some(quota(gateway.limits.source_rate)),
        limit_loopback: gateway.limits.limit_loopback,
        ..defaults
    };
    Ok(GatewaySettings {
        listen: gateway.listen.clone(),
        public_url: gateway.public_url.iter().map(origin).collect::<Result<_, _>>()?,
        trusted_proxies: gateway.trusted_proxies.clone(),
        proxy_protocol: gateway.proxy_protocol,
        tls: gateway.tls.as_ref().map(tls),
        openers: Arc::default(),
        tokens: config.token.as_ref().map(|token| Arc::new(tokens(token))),
        exchange: config.token.as_ref().map(|token| exchange(token, memory.clone())),
        routes: config.routes.iter().map(|it| route(it, &memory)).collect::<Result<_, _>>()?,
        limits,
        admin: Some(AdminSettings { listen: config.admin.listen, hosts: Vec::new() }),
        workers: gateway.workers.unwrap_or(0),
        spool_dir: Some(gateway.spool_dir.clone().unwrap_or_else(|| config.data.join("spool"))),
    })
}

/// What `[token]` says of the tokens themselves.
pub(crate) fn tokens(token: &config::Token) -> TokenSettings {
    let config::Token { issuer, audience, lifetime, .. } = token;
    TokenSettings { issuer: issuer.clone(), audience: audience.clone(), lifetime: *lifetime }
}

/// What `[token]` says of the exchange.
fn exchange(token: &config::Token, memory: Memory) -> ExchangeSettings {
    ExchangeSettings { default_credits: token.default_credits, shared_users: token.shared_users, memory }
}

/// The keys of `[seal]`.
pub(crate) fn openers(config: &Config) -> Result<Openers, Failure> {
    let keys = config.seal.keys.iter().map(|path| file::opening_key(path));
    Ok(Openers::new(keys.collect::<Result<Vec<_>, _>>()?))
}

/// The files of `[gateway.tls]`.
pub(crate) fn tls(tls: &config::Tls) -> TlsSettings {
    let client_auth = match (tls.client_auth, &tls.client_ca) {
        (ClientAuth::Off, _) | (_, None) => None,
        (asked, Some(authorities)) => Some(ClientAuthSettings {
            authorities: authorities.clone(),
            crl: tls.crl.clone(),
            required: asked == ClientAuth::Required,
        }),
    };
    TlsSettings { certificate: tls.certificate.clone(), key: tls.key.clone(), client_auth }
}

fn route(route: &Route, memory: &Memory) -> Result<RouteSettings, Failure> {
    Ok(RouteSettings {
        name: route.path.clone(),
        path: route.path.clone(),
        upstream: route.upstream.iter().map(origin).collect::<Result<_, _>>()?,
        health: route
            .health
            .as_ref()
            .map(|health| HealthCheck { path: health.path.clone(), interval: health.interval }),
        policy: Arc::new(policy(route, memory.clone())?),
        refusals: match route.refusals {
            Refusals::Code => Disclosure::Code,
            Refusals::Components => Disclosure::Components,
            Refusals::Full => Disclosure::Full,
        },
        rate: route.rate.map(quota),
    })
}

fn quota(rate: Rate) -> Quota {
    Quota { requests: rate.count, per: rate.per }
}

/// What a route demands, in the words of the core.
pub(crate) fn policy(route: &Route, memory: Memory) -> Result<Policy, Failure> {
    let demands = Demands {
        schemes: route.schemes.iter().map(|name| known(name.as_str())).collect::<Result<_, _>>()?,
        require: route.require.clone(),
        partners: route.partners.clone(),
        same_partner_channel: route.channel == Channel::SamePartner,
        max_age: route.max_age,
        max_skew: route.max_skew,
        memory,
        max_body: route.max_body,
        path: route.path.clone(),
        unsigned_target: route.unsigned_target,
        observe: route.mode == Mode::Observe,
        user_token: route.user == User::Required,
        http_message_signatures: HttpMessageSignatures {
            tag: route.http_message_signatures.tag.clone(),
            nonce_optional: route.http_message_signatures.nonce == Nonce::Optional,
            algorithms: route
                .http_message_signatures
                .algorithms
                .iter()
                .map(|name| known(name.as_str()))
                .collect::<Result<_, _>>()?,
        },
        pki: Pki {
            signer: route.pki.signer.clone(),
            replay_unprotected: route.pki.replay == PkiReplay::Unprotected,
            zone_utc: route.pki.zone == Zone::Utc,
        },
        open: route.open.iter().map(|pointer| pointer.parse().map_err(Failure::usage)).collect::<Result<_, _>>()?,
        unbound: route.unbound,
    };
    Policy::new(demands).map_err(|fault| Failure::usage(format!("route {}: {fault}", route.path)))
}

pub(crate) fn origin(origin: &config::Origin) -> Result<countersign::Origin, Failure> {
    Ok(countersign::Origin::parse(&origin.to_string())?)
}

/// The configuration spells names as the core does; where it knows one that the core does not, that is ours.
pub(crate) fn known<T: std::str::FromStr<Err: std::fmt::Display>>(name: &str) -> Result<T, Failure> {
    name.parse().map_err(|fault| Failure::ours(format!("{name}: {fault}")))
}

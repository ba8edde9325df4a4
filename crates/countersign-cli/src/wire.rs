//! What a configuration means to the gateway.

use std::sync::Arc;

use countersign::{Demands, HttpMessageSignatures, Pki, Policy};
use countersign_proxy::{AdminSettings, Disclosure, GatewaySettings, Limits, RouteSettings};

use crate::config::{self, Config, Mode, Nonce, PkiReplay, Refusals, Route, Zone};
use crate::exit::Failure;

/// The gateway's settings.
pub(crate) fn settings(config: &Config) -> Result<GatewaySettings, Failure> {
    let gateway = &config.gateway;
    let defaults = Limits::default();
    let limits = Limits {
        // A head has to fit the one buffer that it is judged in.
        head_bytes: usize::try_from(gateway.limits.max_head).unwrap_or(usize::MAX).min(MAX_HEAD),
        head_fields: gateway.limits.max_headers,
        head_time: gateway.limits.head_timeout,
        body_time: gateway.limits.body_timeout,
        idle_time: gateway.limits.idle_timeout,
        connect_time: gateway.limits.connect_timeout,
        response_time: gateway.limits.upstream_timeout,
        shutdown_grace: gateway.limits.shutdown_timeout,
        max_connections: gateway.limits.max_connections,
        max_held: gateway.limits.spool_space,
        ..defaults
    };
    Ok(GatewaySettings {
        listen: gateway.listen.clone(),
        public_url: gateway.public_url.iter().map(origin).collect::<Result<_, _>>()?,
        routes: config.routes.iter().map(|it| route(config, it)).collect::<Result<_, _>>()?,
        limits,
        admin: Some(AdminSettings { listen: config.admin.listen, hosts: Vec::new() }),
        workers: gateway.workers.unwrap_or(0),
    })
}

fn route(config: &Config, route: &Route) -> Result<RouteSettings, Failure> {
    Ok(RouteSettings {
        name: route.path.clone(),
        path: route.path.clone(),
        upstream: origin(&route.upstream)?,
        policy: Arc::new(policy(config, route)?),
        refusals: match route.refusals {
            Refusals::Code => Disclosure::Code,
            Refusals::Components => Disclosure::Components,
            Refusals::Full => Disclosure::Full,
        },
    })
}

/// What a route demands, in the words of the core.
pub(crate) fn policy(config: &Config, route: &Route) -> Result<Policy, Failure> {
    let demands = Demands {
        schemes: route.schemes.iter().map(|name| known(name.as_str())).collect::<Result<_, _>>()?,
        require: route.require.clone(),
        partners: route.partners.clone(),
        max_age: route.max_age,
        max_skew: route.max_skew,
        // A message may be sent to any route of any gateway that shares the memory.
        memory: Some(config.window()),
        max_body: route.max_body,
        path: route.path.clone(),
        unsigned_target: route.unsigned_target,
        observe: route.mode == Mode::Observe,
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
    };
    Policy::new(demands).map_err(|fault| Failure::usage(format!("route {}: {fault}", route.path)))
}

pub(crate) fn origin(origin: &config::Origin) -> Result<countersign::Origin, Failure> {
    Ok(countersign::Origin::parse(&origin.to_string())?)
}

/// The configuration spells names as the core does; where it knows one that the core does not, that is ours.
fn known<T: std::str::FromStr<Err: std::fmt::Display>>(name: &str) -> Result<T, Failure> {
    name.parse().map_err(|fault| Failure::ours(format!("{name}: {fault}")))
}

/// The most that `countersign-proxy` takes.
const MAX_HEAD: usize = 60 << 10;

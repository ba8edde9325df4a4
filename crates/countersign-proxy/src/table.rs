use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use countersign::{Code, Openers, Origin, Policy, Quota, Rejection, TokenSettings};

use crate::caller::Trusted;
use crate::clock::Clock;
use crate::exchange::{Act, Exchange};
use crate::metrics::{Metrics, RouteMetrics};
use crate::rate::{PartnerRates, Rates};
use crate::settings::{Disclosure, GatewaySettings, InvalidSettings, Limits, RouteSettings};
use crate::tls::{self, ClientAuth, Server};
use crate::upstream::{Destination, Group};

/// Judged settings: what a reload swaps as a whole.
pub(crate) struct Table {
    pub(crate) public_url: Vec<Origin>,
    pub(crate) trusted: Trusted,
    pub(crate) proxy_protocol: bool,
    pub(crate) limits: Limits,
    pub(crate) openers: Arc<Openers>,
    /// What is written into user tokens, and expected there.
    pub(crate) tokens: Option<Arc<TokenSettings>>,
    /// How callers are spoken to; `None` for in the clear.
    pub(crate) tls: Option<Arc<Server>>,
    /// Where trusted sites are answered; `None`: their paths are as any others.
    pub(crate) exchange: Option<Exchange>,
    /// By their paths: they are few, and comparing them takes less than hashing one.
    routes: BTreeMap<String, Arc<Route>>,
    /// The same by their paths as a lenient server reads them.
    plain: BTreeMap<String, Arc<Route>>,
    /// Bytes of the longest path, so that a long target costs no more than a short one.
    longest: usize,
}

/// One judged route.
pub(crate) struct Route {
    pub(crate) name: Arc<str>,
    /// Where it leads.
    pub(crate) upstream: Group,
    pub(crate) policy: Arc<Policy>,
    pub(crate) refusals: Disclosure,
    pub(crate) metrics: Arc<RouteMetrics>,
    /// What a partner may ask for, and what each asked for.
    pub(crate) rate: Option<(Quota, Arc<PartnerRates>)>,
}

impl Table {
    pub(crate) fn new(settings: &GatewaySettings, metrics: &Metrics, rates: &Rates) -> Result<Self, InvalidSettings> {
        let limits = settings.limits.clone();
        if !(256..=1 << 20).contains(&limits.head_bytes) || !(4..=1000).contains(&limits.head_fields) {
            return Err(InvalidSettings("a head has 256 bytes to 1 MiB and 4 to 1000 fields".to_owned()));
        }
        if limits.max_connections == 0 || limits.max_connections_per_source == 0 || limits.max_streams == 0 {
            return Err(InvalidSettings("without connections nobody is served".to_owned()));
        }
        let mut table = Self {
            public_url: settings.public_url.clone(),
            trusted: Trusted::new(&settings.trusted_proxies),
            proxy_protocol: settings.proxy_protocol,
            openers: Arc::clone(&settings.openers),
            tokens: settings.tokens.clone(),
            limits,
            exchange: settings.exchange.as_ref().map(|it| Exchange::new(it, metrics)).transpose()?,
            tls: None,
            routes: BTreeMap::new(),
            plain: BTreeMap::new(),
            longest: 0,
        };
        for settings in &settings.routes {
            if settings.policy.demands().user_token && table.tokens.is_none() {
                return Err(InvalidSettings(format!(
                    "the route {} asks for user tokens, and there are none",
                    settings.name
                )));
            }
            let route = Route::new(settings, metrics, rates)?;
            let twice = table.routes.values().any(|other| other.name == route.name);
            table.longest = table.longest.max(settings.path.len());
            let route = Arc::new(route);
            let twice = twice || table.plain.insert(plain(&settings.path), Arc::clone(&route)).is_some();
            if twice || table.routes.insert(settings.path.clone(), route).is_some() {
                return Err(InvalidSettings(format!("the route {} stands twice", settings.name)));
            }
        }
        Ok(table)
    }

    /// All of them.
    pub(crate) fn routes(&self) -> impl Iterator<Item = &Route> {
        self.routes.values().map(Arc::as_ref)
    }

    /// What a trusted site asks for at this path.
    pub(crate) fn exchange(&self, path: &str) -> Option<(&Exchange, Act, &Arc<Route>)> {
        let exchange = self.exchange.as_ref()?;
        exchange.at(path).map(|(act, route)| (exchange, act, route))
    }

    /// Whether what one source may have goes for this one: not for a proxy, behind which stand many, nor for loopback, where
    /// mostly one is.
    pub(crate) fn is_limited(&self, source: IpAddr) -> bool {
        let loopback = source.to_canonical().is_loopback();
        (self.limits.limit_loopback || !loopback) && !self.trusted.believes(source)
    }

    /// The same with what its callers are spoken to with, read from the files of now. `former` is what is in force.
    pub(crate) fn with_tls(
        self,
        settings: &GatewaySettings,
        clock: &Clock,
        former: Option<&Server>,
    ) -> Result<Self, InvalidSettings> {
        let Some(settings) = &settings.tls else { return Ok(self) };
        let tls = Server::new(settings, clock, former).map_err(InvalidSettings)?;
        Ok(Self { tls: Some(Arc::new(tls)), ..self })
    }

    /// Whom callers' certificates have to be of; `None` where none is asked for.
    pub(crate) fn client_auth(&self) -> Option<&Arc<ClientAuth>> {
        self.tls.as_ref().and_then(|tls| tls.client_auth())
    }

    /// The route of a path as it came: whole segments, the longest match.
    ///
    /// # Errors
    /// `no_route`; `malformed` where a server that decodes the path, or cuts parameters off its segments, would see another
    /// route: `/%61dmin` and `/admin;x` are no way around `/admin`.
    pub(crate) fn route(&self, path: &str) -> Result<&Arc<Route>, Rejection> {
        let route = self
            .longest_match(&self.routes, path)
            .ok_or_else(|| Rejection::new(Code::NoRoute, "no route has this path"))?;
        if path.contains(['%', ';']) {
            let plain = plain(path);
            let same = self.longest_match(&self.plain, &plain).is_some_and(|other| Arc::ptr_eq(route, other));
            if !same || self.exchange(&plain).is_some() {
                return Err(Rejection::new(Code::Malformed, "escapes or parameters in the path hide another route"));
            }
        }
        Ok(route)
    }

    fn longest_match<'a>(&self, routes: &'a BTreeMap<String, Arc<Route>>, path: &str) -> Option<&'a Arc<Route>> {
        let mut end = path.len();
        loop {
            if end <= self.longest
                && let Some(route) = routes.get(&path[..end])
            {
                return Some(route);
            }
            match path[..end].rfind('/') {
                Some(0) | None => return routes.get("/"),
                Some(at) => end = at,
            }
        }
    }
}

/// The path as a lenient server reads it: escapes decoded, parameters cut off its segments.
fn plain(path: &str) -> String {
    let mut plain = String::with_capacity(path.len());
    for segment in path.split('/').skip(1) {
        let segment = segment.split(';').next().unwrap_or_default();
        plain.push('/');
        let mut bytes = Vec::with_capacity(segment.len());
        let mut rest = segment.as_bytes();
        while let [first, tail @ ..] = rest {
            let digit = |at: usize| tail.get(at).and_then(|&byte| char::from(byte).to_digit(16));
            rest = match (first, digit(0), digit(1)) {
                (b'%', Some(high), Some(low)) => {
                    bytes.push(u8::try_from(high * 16 + low).unwrap_or(b'%'));
                    &tail[2..]
                }
                _ => {
                    bytes.push(*first);
                    tail
                }
            };
        }
        plain.push_str(&String::from_utf8_lossy(&bytes));
    }
    plain
}

impl Route {
    /// One that leads nowhere: what it admits is answered here.
    pub(crate) fn answered_here(path: &str, policy: Arc<Policy>, metrics: &Metrics) -> Self {
        Self {
            name: path.into(),
            upstream: Group::nobody(),
            policy,
            refusals: Disclosure::Code,
            metrics: metrics.route(path),
            rate: None,
        }
    }

    fn new(settings: &RouteSettings, metrics: &Metrics, rates: &Rates) -> Result<Self, InvalidSettings> {
        let RouteSettings { name, path, upstream, health, policy, refusals, rate } = settings;
        let bad = |why: &str| Err(InvalidSettings(format!("route {name}: {why}")));
        let whole = path == "/" || (path.starts_with('/') && !path.ends_with('/') && !path.contains("//"));
        if !whole
            || path.contains(['?', '#', ';', '\\'])
            || path.split('/').any(|segment| matches!(segment, "." | ".."))
        {
            return bad("a path is whole segments as they stand on the wire, without a slash at the end: /orders");
        }
        if policy.demands().path != *path {
            return bad("its policy is bound to another path");
        }
        if upstream.is_empty() {
            return bad("it has no upstream");
        }
        let trusted = std::cell::OnceCell::new();
        let destination = |origin| Destination::new(origin, || trusted.get_or_init(tls::client).clone());
        let upstream = match upstream.iter().map(destination).collect() {
            Ok(upstream) => Group::new(name, upstream, health.clone(), &metrics.upstreams),
            Err::<Vec<_>, String>(why) => return bad(&why),
        };
        Ok(Self {
            name: name.as_str().into(),
            upstream,
            policy: Arc::clone(policy),
            refusals: *refusals,
            metrics: metrics.route(name),
            rate: rate.map(|quota| (quota, rates.route(name))),
        })
    }
}

#[cfg(test)]
mod tests {
    use countersign::Demands;

    use super::*;

    fn route(path: &str) -> RouteSettings {
        RouteSettings {
            name: path.to_owned(),
            path: path.to_owned(),
            upstream: vec![Origin::parse("http://127.0.0.1:1").unwrap()],
            health: None,
            policy: Arc::new(Policy::new(Demands { path: path.to_owned(), ..Demands::default() }).unwrap()),
            refusals: Disclosure::Code,
            rate: None,
        }
    }

    fn table(paths: &[&str]) -> Result<Table, InvalidSettings> {
        let routes = paths.iter().map(|path| route(path)).collect();
        Table::new(&GatewaySettings { routes, ..GatewaySettings::default() }, &Metrics::default(), &Rates::new())
    }

    fn found(table: &Table, path: &str) -> String {
        match table.route(path) {
            Ok(route) => route.name.to_string(),
            Err(rejection) => rejection.code().to_string(),
        }
    }

    #[test]
    fn half_a_segment_is_no_match() {
        let table = table(&["/orders", "/orders/special"]).unwrap();
        assert_eq!(found(&table, "/orders"), "/orders");
        assert_eq!(found(&table, "/orders/"), "/orders");
        assert_eq!(found(&table, "/orders/7/lines"), "/orders");
        assert_eq!(found(&table, "/orders/special"), "/orders/special");
        assert_eq!(found(&table, "/orders/special/x"), "/orders/special");
        assert_eq!(found(&table, "/orders/specials"), "/orders");
        for path in ["/orders-admin", "/order", "/", "/x/orders", "/Orders"] {
            assert_eq!(found(&table, path), "no_route", "{path}");
        }
    }

    #[test]
    fn an_escape_is_no_way_around_a_stricter_route() {
        let table = table(&["/", "/admin"]).unwrap();
        assert_eq!(found(&table, "/anything/at/all"), "/");
        assert_eq!(found(&table, "/caf%C3%A9"), "/");
        assert_eq!(found(&table, "/admin/%61"), "/admin");
        for path in ["/%61dmin", "/admin;x=1", "/adm%69n/x", "/%61dmin;x/y"] {
            assert_eq!(found(&table, path), "malformed", "{path}");
        }
    }

    #[test]
    fn a_route_may_have_escapes_in_its_path() {
        let table = table(&["/", "/caf%C3%A9"]).unwrap();
        assert_eq!(found(&table, "/caf%C3%A9/x"), "/caf%C3%A9");
        assert_eq!(found(&table, "/caf%c3%a9"), "malformed");
        assert_eq!(found(&table, "/caf%C3%A8"), "/");
    }

    #[test]
    fn a_table_that_could_be_read_in_two_ways_is_refused() {
        for paths in [&["/a", "/a"][..], &["/a/"], &["a"], &["/a//b"], &["/a", "/%61"], &["/a/../b"], &[""]] {
            assert!(table(paths).is_err(), "{paths:?}");
        }
    }

    #[test]
    fn a_long_path_costs_no_more_than_the_longest_route() {
        let table = table(&["/a"]).unwrap();
        let started = std::time::Instant::now();
        assert_eq!(found(&table, &"/b".repeat(30_000)), "no_route");
        assert!(started.elapsed().as_millis() < 1000);
    }
}

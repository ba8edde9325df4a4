use std::fmt;

use redis::{ConnectionInfo, IntoConnectionInfo};

/// Where a shared store is: one server, or some nodes of a Redis Cluster.
#[derive(Clone)]
pub struct RedisAddress {
    pub(super) servers: Vec<ConnectionInfo>,
    pub(super) cluster: bool,
}

impl RedisAddress {
    /// Reads `redis://[[user]:password@]host[:port][/database]`, `rediss://…` for TLS, or, for a cluster,
    /// `redis+cluster://[[user]:password@]host[:port],host[:port]…` and `rediss+cluster://…`; `valkey` stands for `redis`
    /// as well.
    ///
    /// # Errors
    /// What was expected. Never the text itself, which may hold a password.
    pub fn parse(text: &str) -> Result<Self, String> {
        let expected = || {
            "expected \"redis://[user:password@]host[:port][/database]\", \"rediss://…\" for TLS, or \
             \"redis+cluster://host,host…\""
                .to_owned()
        };
        let (scheme, rest) = text.split_once("://").ok_or_else(expected)?;
        // A fragment could switch the check of certificates off, a query the protocol.
        if rest.is_empty() || rest.contains(['?', '#', '\\']) || rest.contains(|it: char| it.is_control() || it == ' ')
        {
            return Err(expected());
        }
        let (scheme, cluster) = match scheme.split_once('+') {
            Some((scheme, "cluster")) => (scheme, true),
            Some(_) => return Err(expected()),
            None => (scheme, false),
        };
        if !["redis", "rediss", "valkey", "valkeys"].contains(&scheme) {
            return Err(expected());
        }
        let parse = |text: String| {
            let server = text.as_str().into_connection_info().map_err(|_| expected())?;
            // It would tell its own name to the server, for which a user needs one right more.
            let settings = server.redis_settings().clone().set_skip_set_lib_name();
            Ok::<_, String>(server.set_redis_settings(settings))
        };
        let (userinfo, place) = rest.rsplit_once('@').map_or(("", rest), |(userinfo, place)| (userinfo, place));
        let (hosts, path) = place.split_once('/').unwrap_or((place, ""));
        if hosts.is_empty() || path.bytes().any(|byte| !byte.is_ascii_digit()) || path.len() > 9 {
            return Err(expected());
        }
        if !cluster {
            if hosts.contains(',') {
                return Err("several hosts are a cluster: expected \"redis+cluster://host,host…\"".to_owned());
            }
            return Ok(Self { servers: vec![parse(format!("{scheme}://{rest}"))?], cluster });
        }
        if !matches!(path, "" | "0") {
            return Err("a cluster has database 0 only".to_owned());
        }
        let at = if userinfo.is_empty() { "" } else { "@" };
        let servers = hosts.split(',').map(|host| parse(format!("{scheme}://{userinfo}{at}{host}")));
        Ok(Self { servers: servers.collect::<Result<_, _>>()?, cluster })
    }

    /// Whether others than this machine could read what is sent, and change the answers.
    #[must_use]
    pub fn is_in_the_clear(&self) -> bool {
        self.servers.iter().any(|server| match server.addr() {
            redis::ConnectionAddr::Tcp(host, _) => {
                host != "localhost" && !host.parse::<std::net::IpAddr>().is_ok_and(|it| it.is_loopback())
            }
            _ => false,
        })
    }
}

impl fmt::Debug for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let servers: Vec<String> = self.servers.iter().map(|server| server.addr().to_string()).collect();
        write!(f, "RedisAddress({}{})", if self.cluster { "cluster of " } else { "" }, servers.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_all_forms() {
        for (text, shown) in [
            ("redis://h", "RedisAddress(h:6379)"),
            ("redis://h:1234/5", "RedisAddress(h:1234)"),
            ("valkey://u:p@127.0.0.1:7", "RedisAddress(127.0.0.1:7)"),
            ("rediss://:p%40ss@h", "RedisAddress(h:6379)"),
            ("redis+cluster://u:p@a:1,b,c:3", "RedisAddress(cluster of a:1, b:6379, c:3)"),
            ("rediss+cluster://a", "RedisAddress(cluster of a:6379)"),
        ] {
            assert_eq!(format!("{:?}", RedisAddress::parse(text).unwrap()), shown);
        }
        let one = &RedisAddress::parse("rediss://u:p%40ss@h/7").unwrap();
        let settings = one.servers[0].redis_settings();
        assert_eq!((settings.username(), settings.password(), settings.db()), (Some("u"), Some("p@ss"), 7));
        assert!(!one.is_in_the_clear());
        for (text, clear) in [("redis://h", true), ("redis://127.0.0.1", false), ("redis://[::1]:1", false)] {
            assert_eq!(RedisAddress::parse(text).unwrap().is_in_the_clear(), clear, "{text}");
        }
        for host in &RedisAddress::parse("redis+cluster://u:p@a,b").unwrap().servers {
            assert_eq!((host.redis_settings().username(), host.redis_settings().password()), (Some("u"), Some("p")));
        }
    }

    #[test]
    fn what_is_no_address_is_not_repeated() {
        for text in [
            "",
            "redis:",
            "redis://",
            "redis://geheim@",
            "http://geheim",
            "redis+unix:///geheim",
            "unix:///geheim",
            "rediss://geheim#insecure",
            "redis://geheim?protocol=resp3",
            "redis://geheim/one",
            "redis://geheim,other",
            "redis+cluster://geheim/3",
            "redis+cluster://geheim,",
            "redis+sentinel://geheim",
            "redis://geheim:70000",
            "redis://ge heim",
            "redis://geheim\n",
        ] {
            let why = RedisAddress::parse(text).unwrap_err();
            assert!(!why.contains("geheim"), "{text}: {why}");
        }
    }
}

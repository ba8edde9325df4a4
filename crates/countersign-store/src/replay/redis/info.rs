//! What a server says of itself, in the text of `INFO`.

/// One process of Redis or Valkey, as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Server {
    /// Drawn when the process starts.
    pub(super) run_id: String,
    /// Drawn anew by whoever becomes a primary.
    pub(super) replid: String,
    /// Whether its data came from another primary at some time, whose id it then keeps as its second.
    pub(super) had_another_primary: bool,
    /// Live keys that it threw away to make room, since it started.
    pub(super) evicted: u64,
    /// Whether it is a node of a cluster.
    pub(super) cluster: bool,
    pub(super) role: String,
    pub(super) policy: String,
}

impl Server {
    /// Reads `INFO` (sections `server`, `replication`, `memory`, `stats`, `cluster`).
    ///
    /// # Errors
    /// The name of what is missing.
    pub(super) fn read(info: &str) -> Result<Self, &'static str> {
        let find = |name: &'static str| {
            let lines = info.lines().filter_map(|line| line.split_once(':'));
            lines.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value.trim()).ok_or(name)
        };
        Ok(Self {
            run_id: find("run_id")?.to_owned(),
            replid: find("master_replid")?.to_owned(),
            had_another_primary: find("master_replid2")?.bytes().any(|byte| byte != b'0'),
            evicted: find("evicted_keys")?.parse().map_err(|_| "evicted_keys")?,
            cluster: find("cluster_enabled")? == "1",
            role: find("role")?.to_owned(),
            policy: find("maxmemory_policy")?.to_owned(),
        })
    }

    /// Whether it may keep what must not be forgotten.
    ///
    /// # Errors
    /// Why not, in words for the operator.
    pub(super) fn is_fit(&self) -> Result<(), String> {
        if self.role != "master" {
            return Err(format!("it is a {}: only a primary takes what is to be remembered", self.role));
        }
        if self.policy != "noeviction" {
            return Err(format!(
                "its maxmemory-policy is {}, under which it forgets what could pass again: it must be noeviction",
                self.policy
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::replay::redis) fn server(run_id: &str, replid: &str) -> Server {
        let text = format!(
            "# Server\r\nrun_id:{run_id}\r\n# Replication\r\nrole:master\r\nmaster_replid:{replid}\r\nmaster_replid2:0000\r\n\
             # Memory\r\nmaxmemory_policy:noeviction\r\n# Stats\r\nevicted_keys:0\r\n# Cluster\r\ncluster_enabled:0\r\n"
        );
        Server::read(&text).unwrap()
    }

    #[test]
    fn reads_what_it_needs_and_says_what_is_missing() {
        let read = server("abc", "def");
        assert_eq!((read.run_id.as_str(), read.replid.as_str()), ("abc", "def"));
        assert!(!read.had_another_primary && !read.cluster && read.is_fit().is_ok());
        assert_eq!(Server::read("run_id:abc\r\n"), Err("master_replid"));
        assert_eq!(Server::read(""), Err("run_id"));
    }

    #[test]
    fn a_store_that_evicts_or_only_copies_is_not_fit() {
        let evicts = Server { policy: "allkeys-lru".to_owned(), ..server("a", "b") };
        assert!(evicts.is_fit().unwrap_err().contains("noeviction"));
        let copies = Server { role: "slave".to_owned(), ..server("a", "b") };
        assert!(copies.is_fit().unwrap_err().contains("primary"));
    }
}

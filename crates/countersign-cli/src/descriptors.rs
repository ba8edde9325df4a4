//! How many sockets this process may have open at once.

use rustix::process::{Resource, getrlimit, setrlimit};

use crate::output;

/// Raises the limit as far as this process may; shells and service managers begin with 1024, for the sake of programs that
/// know no better. Says so where not as many connections fit as the configuration admits.
pub(crate) fn raise(max_connections: usize) {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if setrlimit(Resource::Nofile, limit).is_err() {
        limit = getrlimit(Resource::Nofile);
    }
    let wanted = max_connections.saturating_add(OURS) as u64;
    if let Some(current) = limit.current.filter(|current| *current < wanted) {
        let most = usize::try_from(current).unwrap_or(usize::MAX).saturating_sub(OURS);
        let what = format!(
            "this process may have {current} files open, and max_connections = {max_connections} takes {wanted}"
        );
        let raise = format!("ulimit -n {wanted} as root, or LimitNOFILE={wanted} in the unit");
        output::warning(what, &[raise, format!("or write max_connections = {most} under [gateway]")]);
    }
}

/// Listeners, registry, log, connections to upstreams: of all callers that are connected, few ask at the same moment.
const OURS: usize = 256;

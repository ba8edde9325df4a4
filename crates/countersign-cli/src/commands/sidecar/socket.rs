//! Whom a Unix socket opens to.

use std::io;
use std::path::Path;

use countersign_proxy::SocketFile;

use crate::config;
use crate::exit::{self, Failure};

/// The socket's permissions and group; by default its owner's alone, and with a group the group's, too.
pub(super) fn file(mode: Option<u32>, group: Option<&str>) -> Result<SocketFile, Failure> {
    let usual = if group.is_some() { 0o660 } else { SocketFile::default().mode };
    Ok(SocketFile { mode: mode.unwrap_or(usual), group: group.map(id).transpose()? })
}

/// There is no socket.
pub(super) fn none() -> Failure {
    Failure::usage("--socket-mode and --socket-group are for a Unix socket, and this sidecar listens on TCP")
        .hint("--listen unix:/run/countersign/sidecar.sock")
}

/// A socket that can't be had.
pub(super) fn unbound(path: &Path, fault: &io::Error) -> Failure {
    use io::ErrorKind::{AddrInUse, InvalidInput, NotFound, PermissionDenied};
    let failure = Failure::usage(format!("can't listen on unix:{}: {}", path.display(), exit::words(fault)));
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match fault.kind() {
        NotFound => failure.hint(format!("mkdir -p {}; under systemd RuntimeDirectory= makes it", dir.display())),
        PermissionDenied => {
            failure.hint(format!("its user has to own the directory and be in the group: id, ls -ld {}", dir.display()))
        }
        AddrInUse => failure.hint("a sidecar answers there already, or the file is no socket: see ls -l"),
        InvalidInput => failure.hint("the path of a socket has at most 107 bytes"),
        _ => failure.hint("give another with --listen"),
    }
}

/// For clap.
pub(super) fn mode(text: &str) -> Result<u32, String> {
    config::mode(text).ok_or_else(|| "write it in octal: 0660".to_owned())
}

/// The id of a group: its number, or its name in `/etc/group`.
fn id(group: &str) -> Result<u32, Failure> {
    if let Ok(id) = group.parse() {
        return Ok(id);
    }
    let groups = std::fs::read_to_string("/etc/group").unwrap_or_default();
    find(&groups, group).ok_or_else(|| {
        Failure::usage(format!("there is no group {group} in /etc/group"))
            .hint(format!("getent group {group} finds one that another service knows: give its number"))
    })
}

/// group(5): `name:password:id:members`.
fn find(groups: &str, name: &str) -> Option<u32> {
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_found_by_its_whole_name() {
        let groups = "root:x:0:\nwww-data:x:33:alice,bob\nbroken\nwww:x:80:\n";
        assert_eq!(
            (find(groups, "www-data"), find(groups, "www"), find(groups, "root")),
            (Some(33), Some(80), Some(0))
        );
        for name in ["", "ww", "x", "broken", "alice"] {
            assert_eq!(find(groups, name), None, "{name}");
        }
    }
}

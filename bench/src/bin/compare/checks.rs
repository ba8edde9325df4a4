//! Before anything is timed: each contender admits what it should, and refuses what it should.

use std::sync::Arc;

use crate::Settings;
use crate::contenders::client;
use crate::drive::Field;
use crate::rounds::{Contender, Load};

/// Sends each contender one good request and one that is spoilt.
///
/// # Panics
/// Where one of them lets pass what it should stop, or the other way round.
pub fn refuse_what_they_should(contenders: &[Contender<'_>], field: &mut Field, settings: &Settings) {
    for contender in contenders {
        let name = contender.name;
        let good = contender.messages(2);
        field.watching = true;
        (field.arrived, field.with_partner) = (0, 0);
        assert_eq!(status(contender, field, &good[0]), 200, "{name}: a good request");
        assert_eq!(field.arrived, 1, "{name}: the origin got it");
        assert_eq!(
            field.with_partner == 1,
            matches!(contender.load, Load::Signed(..)),
            "{name}: under the partner's name"
        );
        if contender.tls.is_some() {
            let nobody = Arc::new(client(&settings.dir, false));
            assert_eq!(
                status_by(contender, field, &good[0], Some(&nobody)),
                400,
                "{name}: a caller without certificate"
            );
        }
        if let Some(bad) = spoilt(&contender.load, &good[good.len() - 1]) {
            (field.arrived, field.with_partner) = (0, 0);
            let status = status(contender, field, &bad);
            let observed = name.contains("observed");
            assert_eq!(status, if observed { 200 } else { 401 }, "{name}: a spoilt request");
            assert_eq!((field.arrived, field.with_partner), (usize::from(observed), 0), "{name}: a spoilt request");
        }
        field.watching = false;
    }
}

/// The request with one character changed: of its body, or of its token.
fn spoilt(load: &Load<'_>, good: &[u8]) -> Option<Vec<u8>> {
    let mut bad = good.to_vec();
    match load {
        Load::Signed(..) => {
            let at = memchr::memmem::rfind(&bad, b"A-100")?;
            bad[at] = b'B';
        }
        Load::Same(_) => {
            // In the middle of the token's signature.
            let at = memchr::memmem::find(&bad, b"Bearer ")? + 400;
            bad[at] = if bad[at] == b'A' { b'B' } else { b'A' };
        }
    }
    Some(bad)
}

fn status(contender: &Contender<'_>, field: &mut Field, message: &[u8]) -> u16 {
    status_by(contender, field, message, contender.tls.as_ref())
}

fn status_by(
    contender: &Contender<'_>,
    field: &mut Field,
    message: &[u8],
    tls: Option<&Arc<rustls::ClientConfig>>,
) -> u16 {
    assert!(field.connect(contender.address, tls, 1), "{}: turned away", contender.name);
    let tally = field.send(&[message.to_vec()], 1).unwrap_or_else(|e| panic!("{}: {e}", contender.name));
    field.disconnect();
    tally.other.first().copied().unwrap_or(200)
}

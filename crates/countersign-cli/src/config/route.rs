use std::time::Duration;

use super::component::component;
use super::forms::{self, pointer};
use super::names::{Algorithm, Channel, Mode, Nonce, PkiReplay, Refusals, Scheme, User, Zone};
use super::origin::{Origin, origin};
use super::route_path::route_path;
use super::section::Section;
use super::units::Rate;

/// What an RFC 9421 signature covers at least, unless the route says otherwise.
pub(super) const REQUIRE: [&str; 5] = ["@method", "@authority", "@path", "@query", "content-digest"];

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// `[[route]]`: what is demanded of the messages to one path, and where they go.
#[derive(Clone, Debug)]
pub struct Route {
    /// Whole segments, without `/` at the end but for `/` itself. The longest match wins.
    pub path: String,
    /// Where it goes: `http://host:port`, one at least. The path that was signed goes with it. Each request goes to one of
    /// them.
    pub upstream: Vec<Origin>,
    /// `[route.health]`; absent: an upstream is left out only while it can't be connected to, or does not answer.
    pub health: Option<Health>,
    /// The schemes that are admitted; `http-message-signatures`. Empty only with [`User::Required`].
    pub schemes: Vec<Scheme>,
    /// What happens to the others; `enforce`.
    pub mode: Mode,
    /// The partners that are admitted; empty (the default): every active one.
    pub partners: Vec<String>,
    /// What an RFC 9421 signature covers at least; `@method @authority @path @query content-digest`.
    pub require: Vec<String>,
    /// How old a signature may be; 5 minutes.
    pub max_age: Duration,
    /// How far in the future it may lie, as the file says. [`Self::max_skew`] knows the default of each scheme.
    pub max_skew: Option<Duration>,
    /// The largest body in bytes; 10 MiB. Zero: no body at all.
    pub max_body: u64,
    /// The most requests of one partner; `None`: no limit.
    pub rate: Option<Rate>,
    /// Whether the TLS client certificate has to be the signer's; `any`.
    pub channel: Channel,
    /// JSON pointers (RFC 6901) of the fields to open before forwarding; none.
    pub open: Vec<String>,
    /// Whether foreign JWE that name neither place nor partner are opened, too; false.
    pub unbound: bool,
    /// Whether a body-only scheme is admitted elsewhere than at `POST path` without query; false.
    pub unsigned_target: bool,
    /// Whether a user token is asked for; `ignored`.
    pub user: User,
    /// Whether responses are signed; false.
    pub sign_responses: bool,
    /// How much a refusal tells the caller; `code`.
    pub refusals: Refusals,
    /// `[route.http_message_signatures]`.
    pub http_message_signatures: HttpMessageSignatures,
    /// `[route.pki]`.
    pub pki: Pki,
}

/// `[route.health]`: how upstreams are asked whether they are well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// What is asked for, with GET. 2xx and 3xx are good answers.
    pub path: String,
    /// From one question to the next; 5 seconds.
    pub interval: Duration,
}

/// `[route.http_message_signatures]`.
#[derive(Clone, Debug)]
pub struct HttpMessageSignatures {
    /// The `tag` of the one signature that is meant for this route.
    pub tag: Option<String>,
    /// Whether it has to carry a `nonce`; `required`.
    pub nonce: Nonce,
    /// The algorithms that are admitted; empty (the default): all of the scheme's.
    pub algorithms: Vec<Algorithm>,
}

/// `[route.pki]`.
#[derive(Clone, Debug)]
pub struct Pki {
    /// The key that `Authorization: PKI <base64>`, without a key id, belongs to; none: that form is refused.
    pub signer: Option<String>,
    /// Whether messages have to show that they are new; `protected`.
    pub replay: PkiReplay,
    /// Whether a `timestamp` without zone is one; `required`.
    pub zone: Zone,
}

impl Route {
    /// How far in the future a message of this scheme may lie: what the file says, else 30 seconds, and 5 minutes for
    /// `trusted-site` and `app-hmac`.
    #[must_use]
    pub fn max_skew(&self, scheme: Scheme) -> Duration {
        self.max_skew.unwrap_or(match scheme {
            Scheme::HttpMessageSignatures | Scheme::Pki => 30 * SECOND,
            Scheme::TrustedSite | Scheme::AppHmac => 5 * MINUTE,
        })
    }

    /// The longest time for which one message may pass here: `max_age` and the longest `max_skew` of its schemes.
    #[must_use]
    pub fn window(&self) -> Duration {
        self.max_age + self.schemes.iter().map(|scheme| self.max_skew(*scheme)).max().unwrap_or_default()
    }

    pub(super) fn read(section: &mut Section<'_>) -> Option<Self> {
        let path = section.required("path", route_path);
        let upstream = section.required_list("upstream", origin);
        // Sections without settings so far, which may stand there all the same.
        section.section(Scheme::TrustedSite.section(), |_| ());
        section.section(Scheme::AppHmac.section(), |_| ());
        Some(Self {
            schemes: section.list("schemes", forms::named).unwrap_or_else(|| vec![Scheme::HttpMessageSignatures]),
            mode: section.value("mode", forms::named).unwrap_or(Mode::Enforce),
            partners: section.list("partners", forms::name).unwrap_or_default(),
            require: section.list("require", component).unwrap_or_else(|| REQUIRE.map(str::to_owned).to_vec()),
            max_age: section.duration("max_age", SECOND..=30 * DAY).unwrap_or(5 * MINUTE),
            max_skew: section.duration("max_skew", Duration::ZERO..=DAY),
            max_body: section.size("max_body", 0..=1 << 40).unwrap_or(10 << 20),
            rate: section.value("rate", forms::rate),
            channel: section.value("channel", forms::named).unwrap_or(Channel::Any),
            open: section.list("open", pointer).unwrap_or_default(),
            unbound: section.value("unbound", forms::flag).unwrap_or(false),
            unsigned_target: section.value("unsigned_target", forms::flag).unwrap_or(false),
            user: section.value("user", forms::named).unwrap_or(User::Ignored),
            sign_responses: section.value("sign_responses", forms::flag).unwrap_or(false),
            refusals: section.value("refusals", forms::named).unwrap_or(Refusals::Code),
            http_message_signatures: section
                .section(Scheme::HttpMessageSignatures.section(), HttpMessageSignatures::read),
            pki: section.section(Scheme::Pki.section(), Pki::read),
            health: section.optional("health", Health::read).flatten(),
            // Last, since what is not read is unknown.
            path: path?,
            upstream: upstream?,
        })
    }
}

impl Health {
    fn read(section: &mut Section<'_>) -> Option<Self> {
        let path = section.required("path", forms::target);
        let interval = section.duration("interval", SECOND / 2..=HOUR).unwrap_or(5 * SECOND);
        Some(Self { path: path?, interval })
    }
}

impl HttpMessageSignatures {
    fn read(section: &mut Section<'_>) -> Self {
        Self {
            tag: section.value("tag", forms::printable),
            nonce: section.value("nonce", forms::named).unwrap_or(Nonce::Required),
            algorithms: section.list("algorithms", forms::named).unwrap_or_default(),
        }
    }
}

impl Pki {
    fn read(section: &mut Section<'_>) -> Self {
        Self {
            signer: section.value("signer", forms::name),
            replay: section.value("replay", forms::named).unwrap_or(PkiReplay::Protected),
            zone: section.value("zone", forms::named).unwrap_or(Zone::Required),
        }
    }
}

use std::time::Duration;

use http::HeaderName;

use crate::algorithm::{Algorithm, Scheme};
use crate::component::{Component, Name};
use crate::coverage::{self, Coverage};
use crate::message::Head;
use crate::seal::Pointer;
use crate::time::Timestamp;

/// What a route demands, as an operator writes it. Plain data: [`Policy::new`] judges it.
///
/// The default is strict: RFC 9421 only, everything that says where a request goes and what it carries, five minutes, a
/// nonce.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "switches of a route, each by its own name")]
pub struct Demands {
    /// The schemes that are admitted; at least one, unless a user token is demanded.
    pub schemes: Vec<Scheme>,
    /// What an RFC 9421 signature must cover at least: derived components and field names, bare. `content-digest` is
    /// demanded of messages with a body only, `content-type` also of those that have one without. For responses also `@status`, and with `;req` behind it what must be covered
    /// of the request (`@method;req`); `signature;req` are all signatures that the request carried.
    pub require: Vec<String>,
    /// Names of the partners that are admitted; empty for all.
    pub partners: Vec<String>,
    /// Whether the channel by which a message came must have proved the signer's partner, and no other:
    /// [`crate::Head::on_channel_of`].
    pub same_partner_channel: bool,
    /// How old a signature may be. Above zero.
    pub max_age: Duration,
    /// How far in the future it may lie; `None` for the scheme's own: 30 seconds, 5 minutes for `trusted-site` and
    /// `app-hmac`.
    pub max_skew: Option<Duration>,
    /// How long whoever shares these keys remembers what was admitted.
    pub memory: Memory,
    /// The largest body, in bytes.
    pub max_body: u64,
    /// The path to which body-only schemes are bound.
    pub path: String,
    /// Whether a body-only scheme is admitted elsewhere than at `POST path`.
    pub unsigned_target: bool,
    /// Whether the route only watches: see [`Policy::permit`].
    pub observe: bool,
    /// Whether a valid user token is demanded. Beside a signature that has to cover `authorization`, which [`Policy::new`] adds to
    /// `require`, and both have to be of one partner.
    pub user_token: bool,
    /// Settings of `http-message-signatures`.
    pub http_message_signatures: HttpMessageSignatures,
    /// Settings of `pki`.
    pub pki: Pki,
    /// Sealed fields that are opened before the message goes on; none are where the policy only watches.
    pub open: Vec<Pointer>,
    /// Whether fields are opened, too, that foreign tools sealed without naming place and partner.
    pub unbound: bool,
}

/// How long what was admitted is remembered by all that shares these keys and one replay memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// The longest age and skew of any route, together; a policy whose own are longer goes by its own.
    pub window: Duration,
    /// Shorter ages of before: a raised age applies to what is signed after it was raised. What was admitted before is
    /// forgotten sooner than the longer age of now could tell that it is old, so it is judged by the age of then.
    pub raised: Vec<Raised>,
}

/// An age that gave way to a longer one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raised {
    /// What was signed before this moment may have been admitted under it.
    pub before: Timestamp,
    /// The longest age of any route then.
    pub max_age: Duration,
}

/// What a route demands of RFC 9421 signatures beside coverage.
#[derive(Clone, Debug, Default)]
pub struct HttpMessageSignatures {
    /// The `tag` that the one signature meant for this route carries (RFC 9421 §7.2.7).
    pub tag: Option<String>,
    /// Whether a signature without `nonce` passes; replay then goes by the hash of the signature base.
    pub nonce_optional: bool,
    /// The algorithms that are admitted; empty for all.
    pub algorithms: Vec<Algorithm>,
}

/// What a route demands of `pki` messages.
#[derive(Clone, Debug, Default)]
pub struct Pki {
    /// The key that a header without a key id belongs to.
    pub signer: Option<String>,
    /// Whether messages without `timestamp` and `message_id` pass, which can be replayed for ever.
    pub replay_unprotected: bool,
    /// Whether a time stamp without zone is taken as UTC.
    pub zone_utc: bool,
}

impl Default for Demands {
    fn default() -> Self {
        Self {
            schemes: vec![Scheme::HttpMessageSignatures],
            require: ["@method", "@authority", "@path", "@query", "content-digest"].map(str::to_owned).to_vec(),
            partners: Vec::new(),
            same_partner_channel: false,
            max_age: Duration::from_secs(300),
            max_skew: None,
            memory: Memory::default(),
            max_body: 10 << 20,
            path: "/".to_owned(),
            unsigned_target: false,
            observe: false,
            user_token: false,
            http_message_signatures: HttpMessageSignatures::default(),
            pki: Pki::default(),
            open: Vec::new(),
            unbound: false,
        }
    }
}

/// A judged policy: what every verification needs, and none can do without.
#[derive(Clone, Debug)]
pub struct Policy {
    pub(crate) demands: Demands,
    require: Vec<Demand>,
}

impl Policy {
    /// Judges demands.
    ///
    /// # Errors
    /// [`InvalidPolicy`] where they would admit what they should not: no scheme, an RFC 9421 signature over nothing, an age
    /// of zero, a component that is none or has parameters.
    ///
    /// ```
    /// use countersign::{Demands, Policy};
    ///
    /// assert!(Policy::new(Demands::default()).is_ok());
    /// assert!(Policy::new(Demands { require: vec![], ..Demands::default() }).is_err());
    /// ```
    pub fn new(demands: Demands) -> Result<Self, InvalidPolicy> {
        if demands.require.is_empty() && demands.schemes.contains(&Scheme::HttpMessageSignatures) {
            return Err(InvalidPolicy("a signature over nothing would pass: demand at least one component".into()));
        }
        Self::dangerous_without_coverage(demands)
    }

    /// Judges demands that may be content with a signature over nothing. For tools that show what a message proves; a
    /// verifier in production that takes this takes forgeries.
    ///
    /// # Errors
    /// [`InvalidPolicy`] as [`Policy::new`], but for coverage.
    pub fn dangerous_without_coverage(mut demands: Demands) -> Result<Self, InvalidPolicy> {
        if demands.schemes.is_empty() && !demands.user_token {
            return Err(InvalidPolicy("no scheme is admitted".into()));
        }
        if demands.schemes.contains(&Scheme::Pki) && demands.user_token {
            return Err(InvalidPolicy("pki and a user token both want the one Authorization".into()));
        }
        if demands.max_age.is_zero() {
            return Err(InvalidPolicy("a greatest age of zero admits nothing".into()));
        }
        if demands.schemes.is_empty() && !demands.open.is_empty() {
            return Err(InvalidPolicy("fields are opened for who signed only, and no scheme is admitted".into()));
        }
        let signed = demands.schemes.contains(&Scheme::HttpMessageSignatures);
        if demands.user_token && signed && !demands.require.iter().any(|name| name == "authorization") {
            demands.require.push("authorization".to_owned());
        }
        let require = demands.require.iter().map(|name| Demand::parse(name)).collect::<Result<_, _>>()?;
        Ok(Self { demands, require })
    }

    /// Whether there are fields to open.
    pub(crate) fn opens(&self) -> bool {
        !self.demands.open.is_empty() && !self.demands.observe
    }

    /// Whether a request passes by its user token alone, without any signature.
    #[must_use]
    pub fn is_by_token_alone(&self) -> bool {
        self.demands.schemes.is_empty() && self.demands.user_token
    }

    /// The leave to forward what was only observed: a route configured to observe has it, no other.
    #[must_use]
    pub fn permit(&self) -> Option<Permit> {
        self.demands.observe.then_some(Permit(()))
    }

    /// How far in the future a signature of this scheme may lie.
    #[must_use]
    pub fn max_skew(&self, scheme: Scheme) -> Duration {
        self.demands.max_skew.unwrap_or(match scheme {
            Scheme::HttpMessageSignatures | Scheme::Pki => Duration::from_secs(30),
            Scheme::TrustedSite | Scheme::AppHmac => Duration::from_secs(300),
        })
    }

    /// How old a signature may be.
    #[must_use]
    pub fn max_age(&self) -> Duration {
        self.demands.max_age
    }

    /// How old what was signed at `created` may be: no older than it would have been remembered.
    pub(crate) fn max_age_of(&self, created: Timestamp) -> Duration {
        let raised = self.demands.memory.raised.iter().filter(|raised| created < raised.before);
        raised.map(|raised| raised.max_age).fold(self.demands.max_age, Duration::min)
    }

    /// The demands it was made of.
    #[must_use]
    pub fn demands(&self) -> &Demands {
        &self.demands
    }

    /// The last moment at which something signed at `created` could pass anywhere, and a minute.
    pub(crate) fn remember_until(&self, scheme: Scheme, created: Timestamp) -> Timestamp {
        let own = self.demands.max_age + self.max_skew(scheme);
        created.after(self.demands.memory.window.max(own) + Duration::from_secs(60))
    }

    /// The first demand that `coverage` does not meet, in words.
    pub(crate) fn unmet(&self, coverage: &Coverage, head: &Head) -> Option<String> {
        if let Some(demand) = self.require.iter().find(|demand| !demand.met(coverage, head)) {
            return Some(demand.to_string());
        }
        // `/a?` and `/a` have one `@query`: only the whole target tells them apart.
        let empty_query = head.query() == Some("");
        if empty_query
            && coverage.derived & (coverage::REQUEST_TARGET_ITSELF | coverage::TARGET_URI_ITSELF) == 0
            && !self.require.is_empty()
        {
            return Some("@request-target (the query is empty)".to_owned());
        }
        None
    }
}

/// The leave to forward what was only observed. Comes from [`Policy::permit`] alone.
#[derive(Debug)]
#[must_use]
pub struct Permit(());

/// One demanded part, of the message itself or of the request that it answers.
#[derive(Clone, Debug)]
struct Demand {
    of_request: bool,
    part: Part,
}

#[derive(Clone, Debug)]
enum Part {
    Derived(u16),
    Field(HeaderName),
}

impl Demand {
    fn parse(text: &str) -> Result<Self, InvalidPolicy> {
        let bad = || {
            InvalidPolicy(format!(
                "{text} can't be demanded: only bare derived components and field names in lower case, with ;req those of a request"
            ))
        };
        let (name, of_request) = text.strip_suffix(";req").map_or((text, false), |name| (name, true));
        let component = Component::bare(name).map_err(|_| bad())?;
        let part = match &component.name {
            Name::Field(field) => Part::Field(field.parse().map_err(|_| bad())?),
            Name::QueryParam => return Err(bad()),
            Name::Status if of_request => return Err(bad()),
            derived => Part::Derived(coverage::bit(derived)),
        };
        Ok(Self { of_request, part })
    }

    fn met(&self, coverage: &Coverage, head: &Head) -> bool {
        let (coverage, head) = if self.of_request {
            let (Some(coverage), Some(head)) = (&coverage.request, head.answered()) else { return false };
            (&**coverage, head)
        } else {
            (coverage, head)
        };
        match &self.part {
            Part::Derived(bit) => coverage.derived & bit != 0,
            // RFC 9530: without a body there is nothing to digest.
            Part::Field(name) if name == "content-digest" && !head.has_body() => true,
            // Nor is there a type of nothing; one that stands there all the same has to be covered.
            Part::Field(name) if name == "content-type" && !head.has_body() && !head.headers().contains_key(name) => {
                true
            }
            Part::Field(name) if coverage.has_field(name) => true,
            Part::Field(name) => self.of_request && name == "signature" && coverage.has_signatures_of(head),
        }
    }
}

impl std::fmt::Display for Demand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match &self.part {
            Part::Field(name) => name.as_str(),
            Part::Derived(coverage::METHOD) => "@method",
            Part::Derived(coverage::AUTHORITY) => "@authority",
            Part::Derived(coverage::SCHEME) => "@scheme",
            Part::Derived(coverage::PATH) => "@path",
            Part::Derived(coverage::QUERY) => "@query",
            Part::Derived(coverage::REQUEST_TARGET) => "@request-target",
            Part::Derived(coverage::STATUS) => "@status",
            Part::Derived(_) => "@target-uri",
        })?;
        f.write_str(if self.of_request { ";req" } else { "" })
    }
}

/// Why demands make no policy, in words for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidPolicy(String);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::Parameter;
    use crate::message::Origin;
    use http::{HeaderMap, Method};

    fn unmet(require: &[&str], covered: &[&str], target: &str, body: bool) -> Option<String> {
        let require = require.iter().map(|&name| name.to_owned()).collect();
        let policy = Policy::new(Demands { require, ..Demands::default() }).unwrap();
        let mut components = Vec::new();
        for name in covered {
            let (name, parameter) = match name.split_once(';') {
                Some((name, "req")) => (name, Some(Parameter::Request)),
                Some((name, "tr")) => (name, Some(Parameter::Trailer)),
                Some((name, _)) => (name, Some(Parameter::Key("a".into()))),
                None => (*name, None),
            };
            let mut component = Component::bare(name).unwrap();
            component.parameters.extend(parameter);
            components.push(component);
        }
        let head =
            Head::request(Method::GET, target, Origin::parse("http://a").unwrap(), HeaderMap::new(), body).unwrap();
        policy.unmet(&Coverage::of(&components), &head)
    }

    #[test]
    fn a_component_covers_the_parts_it_contains() {
        let parts = ["@scheme", "@authority", "@path", "@query"];
        assert_eq!(unmet(&parts, &["@target-uri"], "/a?b", false), None);
        assert_eq!(unmet(&["@target-uri"], &parts, "/a?b", false), None);
        assert_eq!(unmet(&["@target-uri"], &parts[1..], "/a?b", false).as_deref(), Some("@target-uri"));
        assert_eq!(unmet(&["@path", "@query"], &["@request-target"], "/a?b", false), None);
        assert_eq!(unmet(&["@authority"], &["@request-target"], "/a?b", false).as_deref(), Some("@authority"));
        assert_eq!(unmet(&["@request-target"], &["@request-target"], "/a?b", false), None);
        assert_eq!(unmet(&["@request-target"], &["@path", "@query"], "/a?b", false), None);
        assert_eq!(unmet(&["@request-target"], &["@path"], "/a?b", false).as_deref(), Some("@request-target"));
    }

    #[test]
    fn a_component_with_parameters_never_meets_a_demand_for_the_whole() {
        for covered in ["content-digest;req", "content-digest;tr", "content-digest;key"] {
            assert_eq!(unmet(&["content-digest"], &[covered], "/", true).as_deref(), Some("content-digest"));
        }
        assert_eq!(unmet(&["@method"], &["@method;req"], "/", false).as_deref(), Some("@method"));
    }

    #[test]
    fn a_digest_is_demanded_of_bodies_only() {
        assert_eq!(unmet(&["content-digest"], &[], "/", false), None);
        assert_eq!(unmet(&["content-digest"], &[], "/", true).as_deref(), Some("content-digest"));
    }

    #[test]
    fn a_type_is_demanded_of_bodies_and_where_there_is_one() {
        assert_eq!(unmet(&["content-type"], &[], "/", false), None);
        assert_eq!(unmet(&["content-type"], &[], "/", true).as_deref(), Some("content-type"));
        assert_eq!(unmet(&["x-other"], &[], "/", false).as_deref(), Some("x-other"));
    }

    #[test]
    fn an_empty_query_passes_only_under_a_component_that_shows_it() {
        let require = ["@path", "@query"];
        assert!(unmet(&require, &["@path", "@query"], "/a?", false).is_some());
        assert!(unmet(&require, &["@scheme", "@authority", "@path", "@query"], "/a?", false).is_some());
        assert_eq!(unmet(&require, &["@request-target"], "/a?", false), None);
        assert_eq!(unmet(&require, &["@target-uri"], "/a?", false), None);
        assert_eq!(unmet(&require, &["@path", "@query"], "/a", false), None);
    }

    #[test]
    fn only_a_route_that_observes_gives_leave_to_forward_what_was_observed() {
        let permit = |observe| Policy::new(Demands { observe, ..Demands::default() }).unwrap().permit();
        assert!(permit(true).is_some() && permit(false).is_none());
    }

    #[test]
    fn a_policy_that_is_content_with_nothing_is_none() {
        let with = |change: fn(&mut Demands)| {
            let mut demands = Demands::default();
            change(&mut demands);
            Policy::new(demands).is_err()
        };
        assert!(with(|d| d.require.clear()));
        assert!(with(|d| d.schemes.clear()));
        assert!(with(|d| d.max_age = Duration::ZERO));
        assert!(with(|d| d.require = vec!["@query-param".into()]));
        assert!(with(|d| d.require = vec!["@nothing".into()]));
        assert!(with(|d| d.require = vec!["@status;req".into()]));
        assert!(with(|d| d.require = vec!["Content-Digest".into()]));
    }
}

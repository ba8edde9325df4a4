use std::time::Duration;

use countersign::{Raised, Scheme, Timestamp};
use serde_json::{Value, json};

use crate::replay::per_scheme::Millis;
use crate::replay::state_file::Terms;

/// What a store says of its own memory: since when it has it, in which process, and under which terms uses were admitted.
/// It lies beside them in the store, so whoever empties the store takes it away, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// Drawn when the memory began, the same for as long as it was not forgotten as a whole.
    pub(super) line: String,
    /// The line that this one took the place of, as far as whoever began it knew.
    pub(super) follows: Option<String>,
    /// When the memory began, by the store's clock.
    pub(super) born: Timestamp,
    /// Nothing is admitted before this moment of the store's clock, so that whoever knows of an earlier memory can say so.
    pub(super) opens: Timestamp,
    /// The process whose memory it is.
    pub(super) run_id: String,
    /// What this process called its data.
    pub(super) replid: String,
    /// How many keys it had evicted.
    pub(super) evicted: u64,
    /// The longest age and skew of any gateway, ages that gave way, and the floor.
    pub(super) terms: Terms,
}

impl Mark {
    /// As it stands in the store: JSON, for operators who look.
    pub(super) fn to_text(&self) -> String {
        let terms = &self.terms;
        let raised: Vec<Value> =
            terms.raised.iter().map(|it| json!([it.before.as_millis(), millis(it.max_age)])).collect();
        let floors = terms.floors.map(|floor| floor.map(Timestamp::as_millis));
        let mut text = json!({
            "countersign_replay": 1,
            "line": self.line,
            "follows": self.follows,
            "born_ms": self.born.as_millis(),
            "opens_ms": self.opens.as_millis(),
            "run_id": self.run_id,
            "replid": self.replid,
            "evicted_keys": self.evicted,
            "max_skew_ms": terms.max_skew.longest(),
            "max_age_ms": terms.max_age,
            "floor_ms": floors.greatest(),
            "raised_ms": raised,
        });
        let each = [
            (SKEW_OF, beside(Some(terms.max_skew.longest()), terms.max_skew)),
            (FLOOR_OF, beside(floors.greatest(), floors)),
        ];
        for (name, each) in each {
            // Not as null: gateways that know one for all would take it away, and those that know more put it back, forever.
            if let Some(each) = each {
                text[name] = each;
            }
        }
        text.to_string()
    }

    /// `None` for what this version did not write.
    pub(super) fn from_text(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        if value["countersign_replay"] != 1 {
            return None;
        }
        let text = |name: &str| value[name].as_str().map(str::to_owned);
        let time = |name: &str| value[name].as_i64().map(Timestamp::from_millis);
        let span = |millis: &i64| (0..=LONGEST).contains(millis);
        let raised = value["raised_ms"].as_array()?.iter().map(|pair| {
            let max_age = pair[1].as_u64().map(Duration::from_millis)?;
            Some(Raised { before: Timestamp::from_millis(pair[0].as_i64()?), max_age })
        });
        let optional = |name: &str| value.get(name).is_some_and(|value| !value.is_null());
        let floor = if optional("floor_ms") { Some(value["floor_ms"].as_i64()?) } else { None };
        Some(Self {
            line: text("line")?,
            follows: if optional("follows") { Some(text("follows")?) } else { None },
            born: time("born_ms")?,
            opens: time("opens_ms")?,
            run_id: text("run_id")?,
            replid: text("replid")?,
            evicted: value["evicted_keys"].as_u64()?,
            terms: Terms {
                max_skew: read_beside(Some(value["max_skew_ms"].as_i64()?), value.get(SKEW_OF))
                    .filter(|all| all.iter().all(|(_, it)| it.iter().all(span)))?,
                max_age: value["max_age_ms"].as_i64().filter(span)?,
                raised: raised.collect::<Option<_>>()?,
                floors: read_beside(floor, value.get(FLOOR_OF))?.map(|floor| floor.map(Timestamp::from_millis)),
            },
        })
    }
}

/// What stands beside `one`, which gateways that know no schemes take for all: each by the name of its scheme. `None` where `one`
/// says it all.
pub(super) fn beside(one: Option<i64>, numbers: Millis) -> Option<Value> {
    let there = numbers.iter().filter_map(|(scheme, number)| Some((scheme.as_str().to_owned(), number?.into())));
    (numbers != Millis::all(one)).then(|| Value::Object(there.collect()))
}

/// What [`beside`] wrote; a scheme that is not there has none. Where nothing is there, `one` is that of all schemes.
pub(super) fn read_beside(one: Option<i64>, each: Option<&Value>) -> Option<Millis> {
    let Some(value) = each else { return Some(Millis::all(one)) };
    let there = value.as_object()?;
    let known = |(name, number): (&String, &Value)| name.parse::<Scheme>().is_ok() && number.is_i64();
    let number = |scheme: Scheme| there.get(scheme.as_str()).and_then(Value::as_i64);
    there.iter().all(known).then(|| Millis::each(number))
}

const SKEW_OF: &str = "max_skew_ms_of";
const FLOOR_OF: &str = "floor_ms_of";

/// A century: what is longer was not written by us.
const LONGEST: i64 = 100 * 366 * 24 * 60 * 60 * 1000;

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::per_scheme::Floors;

    #[test]
    fn what_was_written_is_read_and_nothing_else() {
        let mut mark = Mark {
            line: "a".to_owned(),
            follows: None,
            born: Timestamp::from_secs(5),
            opens: Timestamp::from_secs(6),
            run_id: "r".to_owned(),
            replid: "p".to_owned(),
            evicted: 7,
            terms: Terms {
                max_skew: Millis::each(|scheme| (scheme != Scheme::Pki).then_some(30_000)),
                max_age: 300_000,
                raised: Vec::new(),
                floors: Floors::default(),
            },
        };
        assert_eq!(Mark::from_text(&mark.to_text()), Some(mark.clone()));
        mark.follows = Some("b".to_owned());
        let floor = |scheme| (scheme == Scheme::TrustedSite).then_some(Timestamp::from_secs(90));
        mark.terms.floors = Floors::each(floor);
        mark.terms.raised = vec![Raised { before: Timestamp::from_secs(50), max_age: Duration::from_secs(60) }];
        let text = mark.to_text();
        assert_eq!(Mark::from_text(&text), Some(mark));
        let damaged = ["", "{}", "null", "[1]", "\"\""].map(str::to_owned).into_iter().chain([
            text.replace("replay\":1,", "replay\":2,"),
            text.replace("30000", "-1"),
            text.replace("\"trusted-site\":90000", "\"trusted-site\":\"x\""),
            text.replace("\"trusted-site\":90000", "\"trusted-sites\":90000"),
            text.replace("\"floor_ms\":90000", "\"floor_ms\":\"x\""),
            text.replace("\"max_skew_ms\":30000", "\"max_skew_ms\":null"),
            text.replace("\"floor_ms_of\":{", "\"floor_ms_of\":7,\"x\":{"),
            text.replace("[50000", "[null"),
            text.replace("run_id", "ran_id"),
        ]);
        for text in damaged {
            assert_eq!(Mark::from_text(&text), None, "{text}");
        }
    }

    #[test]
    fn gateways_of_the_version_before_share_it() {
        // As they write it; floor_ms is null or a number.
        let theirs = concat!(
            r#"{"born_ms":5000,"countersign_replay":1,"evicted_keys":7,"floor_ms":90000,"follows":null,"line":"a","#,
            r#""max_age_ms":300000,"max_skew_ms":30000,"opens_ms":6000,"raised_ms":[],"replid":"p","run_id":"r"}"#
        );
        let mut mark = Mark::from_text(theirs).unwrap();
        assert_eq!(mark.terms.max_skew, Millis::all(Some(30_000)));
        assert_eq!(mark.terms.floors, Floors::all(Some(Timestamp::from_secs(90))));
        // The same to the byte, or each version would put its own in the place of the other's without end.
        assert_eq!(mark.to_text(), theirs);
        let none = theirs.replace("90000", "null");
        assert_eq!(Mark::from_text(&none).unwrap().to_text(), none);
        // They look at the greatest of all, and overlook what stands beside it.
        let later = |scheme| Some(Timestamp::from_secs(if scheme == Scheme::AppHmac { 400 } else { 90 }));
        mark.terms.floors = Floors::each(later);
        mark.terms.max_skew = Millis::each(|scheme| (scheme != Scheme::Pki).then_some(30_000));
        let value: Value = serde_json::from_str(&mark.to_text()).unwrap();
        assert_eq!((&value["countersign_replay"], &value["floor_ms"]), (&json!(1), &json!(400_000)));
        assert_eq!(value["max_skew_ms"], 30_000);
    }
}

//! What signing and verifying cost in this process, by the median.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use countersign::{
    Algorithm, Claim, Draft, Form, Head, Keys, Openers, Origin, Policy, Refusal, Scheme, SigningKey, Timestamp,
};

use super::http::Letter;
use super::scenes::{Cast, message1};
use super::sender::KEY_ID;
use crate::exit::Failure;
use crate::remember::Nothing;
use crate::{moment, random};

/// One scheme and algorithm.
pub(super) struct Cost {
    pub(super) scheme: Scheme,
    pub(super) algorithm: Algorithm,
    /// Microseconds.
    pub(super) sign: f64,
    /// Microseconds, from the head to what the upstream would get.
    pub(super) verify: f64,
}

/// Every scheme and algorithm of the cast.
pub(super) async fn all(
    cast: &Cast,
    keys: &Keys,
    policies: &BTreeMap<String, Arc<Policy>>,
) -> Result<Vec<Cost>, Failure> {
    let signers = &cast.signers;
    let mut todo = vec![("/message1", Form::new(Scheme::Pki, KEY_ID), cast.sender.key(), Algorithm::RsaPssSha256)];
    let site = Form::new(Scheme::TrustedSite, &signers.site.0);
    todo.push(("/site/message1", site, &signers.site.1, Algorithm::RsaV15Sha256));
    // The layouts cost the same.
    for (form, id, key) in signers.apps.iter().take(1) {
        let form = Form { app_hmac: Some(*form), ..Form::new(Scheme::AppHmac, id) };
        todo.push(("/app/message1", form, key, Algorithm::HmacSha256));
    }
    for (algorithm, id, key) in &signers.partner {
        todo.push(("/message1", Form::new(Scheme::HttpMessageSignatures, id), key, *algorithm));
    }
    let mut costs = Vec::new();
    for (path, form, key, algorithm) in todo {
        let message = Letter::post_json(path, message1(moment::now()).to_string());
        let policy = policies.get(path).ok_or_else(|| Failure::ours(format!("the demo has no route {path}")))?;
        costs.push(measure(&message, key, &form, keys, policy, algorithm).await?);
    }
    Ok(costs)
}

/// Signs and verifies `letter` so many times.
async fn measure(
    letter: &Letter,
    key: &SigningKey,
    form: &Form,
    keys: &Keys,
    policy: &Arc<Policy>,
    algorithm: Algorithm,
) -> Result<Cost, Failure> {
    let now = moment::now();
    let (mut signing, mut verifying) = (Vec::with_capacity(ROUNDS), Vec::with_capacity(ROUNDS));
    for _ in 0..ROUNDS {
        let nonce = random::nonce()?;
        let mut signed = letter.clone();
        let began = Instant::now();
        let mut draft = Draft::new(head(letter)?, form.clone());
        draft.push(&letter.body);
        let signature = draft.finish(&nonce, now)?.sign(key).await?;
        signature.apply(&mut signed.headers);
        if let Some(body) = signature.body() {
            signed.body = body.clone();
        }
        signing.push(began.elapsed());
        let began = Instant::now();
        pass(&signed, keys, policy, now)
            .await
            .map_err(|refusal| Failure::ours(format!("the demo's own message: {refusal}")))?;
        verifying.push(began.elapsed());
    }
    let median = |mut times: Vec<std::time::Duration>| {
        times.sort_unstable();
        times[ROUNDS / 2].as_secs_f64() * 1e6
    };
    Ok(Cost { scheme: form.scheme, algorithm, sign: median(signing), verify: median(verifying) })
}

async fn pass(letter: &Letter, keys: &Keys, policy: &Arc<Policy>, now: Timestamp) -> Result<(), Refusal> {
    let mut open = Claim::read(head(letter)?, policy)?.check(keys, now)?;
    let kept = open.push(letter.body.clone())?;
    let fresh = open.finish(keys, now)?.first_use(keys, &Nothing, now).await?;
    let ready = fresh.unpack::<Bytes>(&Openers::default(), kept)?;
    std::hint::black_box(ready.identity());
    Ok(())
}

fn head(letter: &Letter) -> Result<Head, countersign::Rejection> {
    let origin = Origin::new(true, "api.example.com")?;
    Head::request(letter.method.clone(), &letter.target, origin, letter.headers.clone(), !letter.body.is_empty())
}

const ROUNDS: usize = 301;

//! What signing and verifying cost in this process, by the median.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use countersign::{
    Algorithm, Claim, Draft, Form, Head, Keys, Openers, Origin, Policy, Refusal, Scheme, SigningKey, Timestamp,
};

use super::http::Letter;
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

/// Signs and verifies `letter` so many times.
pub(super) async fn measure(
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
        draft.finish(&nonce, now)?.sign(key).await?.apply(&mut signed.headers);
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

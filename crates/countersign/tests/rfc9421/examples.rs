//! The examples on the pages: messages, bases and keys.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use countersign::*;

use super::message::Text;
use super::support::published::blocks;
use super::support::{Memory, policy, run};

/// A signature, the message under it, and the request that a response answers.
#[derive(Clone, Debug)]
pub(crate) struct Example {
    pub(crate) label: String,
    pub(crate) message: Text,
    pub(crate) request: Option<Text>,
}

/// What our signer makes of an example.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Signing {
    pub(crate) base: String,
    pub(crate) signature: Vec<u8>,
}

impl Example {
    pub(crate) fn key_id(&self) -> String {
        let input = self.message.input(&self.label);
        input.split("keyid=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    }

    pub(crate) fn verify(&self, keys: &Keys) -> Result<(), Code> {
        let created = self.message.input(&self.label);
        let created = created.split("created=").nth(1).unwrap()[..10].parse().unwrap();
        self.verify_at(keys, Timestamp::from_secs(created))
    }

    /// Runs the chain with nothing demanded: the examples cover little, and have no nonce.
    pub(crate) fn verify_at(&self, keys: &Keys, now: Timestamp) -> Result<(), Code> {
        let code = |rejection: Rejection| rejection.code();
        let mut message = self.message.clone();
        message.keep_only(&self.label);
        let demands = policy(|_| {}).demands().clone();
        let demands = Demands {
            require: Vec::new(),
            http_message_signatures: HttpMessageSignatures {
                nonce_optional: true,
                ..demands.http_message_signatures.clone()
            },
            ..demands
        };
        let policy = std::sync::Arc::new(Policy::dangerous_without_coverage(demands).unwrap());
        let head = message.head(self.request.as_ref(), !message.body.is_empty());
        let mut open = Claim::read(head, &policy).map_err(code)?.check(keys, now).map_err(code)?;
        let kept = open.push(Bytes::from(message.body.clone())).map_err(code)?;
        let authentic = open.finish(keys, now).map_err(code)?;
        let fresh = run(authentic.first_use(keys, &Memory::default(), now)).map_err(|_| Code::Replayed)?;
        fresh.unpack(&Openers::default(), kept).map_err(code).map(drop)
    }

    /// Signs the message anew, under the same input to the byte.
    pub(crate) fn sign(&self, key: &SigningKey) -> Signing {
        let form = Form {
            signature_input: Some(self.message.input(&self.label)),
            ..Form::new(Scheme::HttpMessageSignatures, &self.key_id())
        };
        // The digest stands in the message already: it is held against the body, and stays.
        let body = &self.message.body;
        let mut draft = Draft::new(self.message.unsigned().head(self.request.as_ref(), !body.is_empty()), form);
        draft.push(body);
        let unsigned = draft.finish("unused", Timestamp::from_secs(0)).unwrap();
        let signed = run(unsigned.sign(key)).unwrap();
        let base = String::from_utf8(signed.signed_bytes().to_vec()).unwrap();
        let (_, signature) = signed.headers().find(|(name, _)| *name == "signature").unwrap();
        let signature = signature.to_str().unwrap().trim_start_matches("sig1=").trim_matches(':').to_owned();
        Signing { base, signature: STANDARD.decode(signature).unwrap() }
    }
}

pub(crate) struct Examples {
    pub(crate) good: Vec<Example>,
    pub(crate) bad: Vec<Example>,
    pub(crate) bases: Vec<String>,
    pub(crate) jwks: Vec<(String, String)>,
    pems: Vec<String>,
    secret: String,
}

impl Examples {
    pub(crate) fn read(appendix: &str, sections: &str) -> Self {
        let mut it =
            Self { good: vec![], bad: vec![], bases: vec![], jwks: vec![], pems: vec![], secret: String::new() };
        for page in [sections, appendix] {
            it.read_page(page);
        }
        it
    }

    fn read_page(&mut self, page: &str) {
        let mut request: Option<Text> = None;
        let mut tested: Vec<Text> = Vec::new();
        for (before, block) in blocks(page) {
            let text = block.trim_end();
            if text.starts_with("-----BEGIN") {
                self.pems.extend(text.split_inclusive("-----\n\n").map(str::to_owned));
            } else if text.starts_with('{') {
                let id = text.split("\"kid\": \"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
                self.jwks.push((id.to_owned(), text.to_owned()));
            } else if text.starts_with("Signature-Input:") && text.contains("\nSignature:") {
                // Appendix B.2 prints only what is added to its request, or in B.2.4 to its response.
                let response = text.contains("\"@status\"");
                let message = tested.iter().find(|message| message.is_request() != response);
                let mut message = message.unwrap().clone();
                if response {
                    // The response is printed with a digest that is not its body's; the base has the one that was signed.
                    let base = self.bases.iter().rfind(|base| base.starts_with("\"@status\": 200\n")).unwrap();
                    let digest = base.lines().find_map(|line| line.strip_prefix("\"content-digest\": ")).unwrap();
                    message.replace("content-digest", digest);
                }
                message.add(text);
                self.add(before, &message, None);
            } else if text.contains("HTTP/1.1") && !text.contains("\"@signature-params\"") {
                let message = Text::parse(text);
                let signed = text.contains("\nSignature:");
                if signed {
                    self.add(before, &message, request.as_ref().filter(|_| !message.is_request()));
                }
                if message.is_request() {
                    request = Some(message.clone());
                }
                tested.push(message);
            } else if text.contains("\"@signature-params\"") {
                self.bases.push(text.to_owned());
            } else if text.len() == 88 && text.ends_with("==") && self.secret.is_empty() {
                self.secret = text.to_owned();
            }
        }
    }

    fn add(&mut self, before: &str, message: &Text, request: Option<&Text>) {
        let labels = message.labels();
        // Section 4.3 shows the client's signature once more in what the proxy sends on, which it is not valid for.
        let proxied = message.head(None, false).headers().contains_key("forwarded");
        for label in labels {
            if proxied && label == "sig1" {
                continue;
            }
            let example = Example { label, message: message.clone(), request: request.cloned() };
            if before.contains("NOT still valid") { &mut self.bad } else { &mut self.good }.push(example);
        }
    }

    pub(crate) fn signing_key(&self, id: impl AsRef<str>) -> SigningKey {
        let (file, algorithm) = self.key(id.as_ref(), "PRIVATE KEY");
        SigningKey::from_file(&file, Scheme::HttpMessageSignatures, Some(algorithm)).unwrap()
    }

    fn key(&self, id: &str, label: &str) -> (Vec<u8>, Algorithm) {
        let (at, algorithm) = match id {
            "test-key-rsa" => (0, Algorithm::RsaV15Sha256),
            "test-key-rsa-pss" => (1, Algorithm::RsaPssSha512),
            "test-key-ecc-p256" => (2, Algorithm::EcdsaP256Sha256),
            "test-key-ed25519" => (3, Algorithm::Ed25519),
            "test-shared-secret" => {
                return (STANDARD.decode(&self.secret).unwrap(), Algorithm::HmacSha256);
            }
            other => panic!("unknown key {other}"),
        };
        let pem = self.pems.iter().filter(|pem| pem.lines().next().unwrap().contains(label)).nth(at);
        (pem.unwrap().clone().into_bytes(), algorithm)
    }

    pub(crate) fn keys(&self) -> Keys {
        let ids = ["test-key-rsa", "test-key-rsa-pss", "test-key-ecc-p256", "test-key-ed25519", "test-shared-secret"];
        Keys::new(ids.map(|id| {
            let (file, algorithm) = self.key(id, "PUBLIC KEY");
            let material = if algorithm.is_symmetric() {
                Material::Shared(SharedSecret::new(file))
            } else {
                Material::from_public_file(&file, Some(algorithm)).unwrap()
            };
            let record = super::support::Pair::new(Scheme::HttpMessageSignatures, Algorithm::Ed25519, id, "rfc").record;
            VerifyingKey::new(KeyRecord { algorithm, material, ..record }).unwrap()
        }))
    }
}

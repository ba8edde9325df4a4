// A partner in Node 18 or later: fetch and node:crypto, no package.
// usage: node partner.mjs URL KEY.pem KEYID
import { createHash, createPrivateKey, randomBytes, sign } from "node:crypto";
import { readFileSync } from "node:fs";

const [url, path, keyId] = process.argv.slice(2);
const key = createPrivateKey(readFileSync(path));

/** fetch, signed as RFC 9421 has it. Each call signs anew, so to try again is to call again. */
async function signedFetch(target, { method = "GET", headers = {}, body } = {}) {
  const url = new URL(target);
  const sent = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  if (body !== undefined) {
    sent["content-digest"] = `sha-256=:${createHash("sha256").update(body).digest("base64")}:`;
  }
  const covered = {
    "@method": method,
    "@authority": url.host,
    "@path": url.pathname,
    "@query": url.search || "?",
    ...sent,
  };
  const names = Object.keys(covered).map((name) => `"${name}"`);
  const created = Math.floor(Date.now() / 1000);
  const nonce = randomBytes(16).toString("base64url");
  const input = `(${names.join(" ")});created=${created};keyid="${keyId}";alg="ed25519";nonce="${nonce}"`;
  const lines = Object.entries(covered).map(([name, value]) => `"${name}": ${value}`);
  const base = [...lines, `"@signature-params": ${input}`].join("\n");
  const signature = sign(null, Buffer.from(base), key).toString("base64");
  return fetch(url, {
    method,
    body,
    headers: { ...sent, "Signature-Input": `sig1=${input}`, Signature: `sig1=:${signature}:` },
  });
}

const order = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ sku: 1 }) };
for (const answer of [await signedFetch(url, order), await signedFetch(`${url}?open=yes`)]) {
  process.stdout.write(`${answer.status} ${await answer.text()}`);
}

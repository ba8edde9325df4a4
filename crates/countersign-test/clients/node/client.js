// RFC 9421 as npm `http-message-signatures` speaks it, with Node's own crypto and fetch. ../run.py says what is done here.
"use strict";

const assert = require("node:assert/strict");
const { execFileSync } = require("node:child_process");
const crypto = require("node:crypto");
const { readFileSync } = require("node:fs");
const { createSigner, createVerifier, httpbis } = require("http-message-signatures");
const { changed, rows, send } = require("./wire.js");

const [binary, gateway, tables] = process.argv.slice(2);

const BODY = '{"amount": "12"}';
const TARGET = "/orders?item=1&count=2";
const COVERED = ["@method", "@authority", "@path", "@query", "content-type", "x-purpose", "content-digest"];

const digest = (body) => `sha-256=:${crypto.createHash("sha256").update(body).digest("base64")}:`;
const saw = (column, key, what) => console.log([column, key.id, what].join("\t"));

class Key {
  constructor(line) {
    [this.id, this.scheme, this.algorithm] = line.split(/\s+/);
    const file = readFileSync(`${this.id}.key`, "utf8");
    // Of a secret, its file's bytes are the secret, less one final LF.
    const secret = this.algorithm === "hmac-sha256" && file.replace(/\n$/, "");
    this.signer = createSigner(secret || file, this.algorithm, this.id);
    this.verifier = createVerifier(secret || readFileSync(`${this.id}.key.pub`, "utf8"), this.algorithm);
    this.file = file;
  }

  /** The library's signer for PSS takes the longest salt that fits, RFC 9421 (3.3.1) one of 64 bytes. */
  pss(saltLength) {
    const padding = crypto.constants.RSA_PKCS1_PSS_PADDING;
    const sign = async (data) => crypto.sign("sha512", data, { key: this.file, padding, saltLength });
    return { id: this.id, alg: this.algorithm, sign };
  }

  /** A signed request. Its second ends in 5, so that a table can say the one before and the one after. */
  sign(signer = this.algorithm === "rsa-pss-sha512" ? this.pss(64) : this.signer) {
    const headers = {
      Host: gateway,
      "Content-Type": "application/json",
      "X-Purpose": "test",
      "Content-Digest": digest(BODY),
    };
    const created = new Date(Math.floor(Date.now() / 10_000) * 10_000 - 5_000);
    const parameters = {
      key: signer,
      fields: COVERED,
      params: ["created", "keyid", "alg", "nonce"],
      paramValues: { created, nonce: crypto.randomBytes(12).toString("hex") },
    };
    const request = { method: "POST", url: `http://${gateway}${TARGET}`, headers, body: BODY };
    return httpbis.signMessage(parameters, request);
  }

  verify(request) {
    const keyLookup = async ({ keyid }) => keyid === this.id && { id: keyid, algs: [this.algorithm], verify: this.verifier };
    const requiredParams = ["created", "keyid", "nonce", "alg"];
    return httpbis.verifyMessage({ keyLookup, requiredParams, maxAge: 60 }, request);
  }
}

const text = ({ method, headers, body }) =>
  [`${method} ${TARGET} HTTP/1.1`, ...Object.entries(headers).map((field) => field.join(": ")), "", body].join("\r\n");

async function sendAsClientsDo({ method, url, headers, body }) {
  const answer = await fetch(url, { method, headers, body });
  const problem = answer.headers.get("content-type") === "application/problem+json";
  const content = await answer.text();
  return { status: answer.status, code: problem ? JSON.parse(content).code : undefined };
}

/** Each change is refused; what was changed passes as it was, so it was the change, and refusing it spent nothing; once. */
async function everyChange(key) {
  for (const { what, code, find, put } of rows(`${tables}/${key.scheme}.txt`)) {
    const request = await key.sign();
    const refusal = await send(gateway, changed(text(request), find, put));
    assert.equal(refusal.code, code, `${key.id}, ${what}: ${refusal.text}`);
    saw("refused", key, what);
    assert.equal((await sendAsClientsDo(request)).status, 200, `${key.id}, after ${what}`);
    saw("passed", key, what);
    assert.deepEqual(await sendAsClientsDo(request), { status: 401, code: "replayed" });
    saw("replayed", key, what);
  }
}

/** A salt of any length but 64 is no `rsa-pss-sha512`. */
async function everySalt(key) {
  for (const [what, signer] of [["salt of the library", key.signer], ["salt 32", key.pss(32)], ["salt 0", key.pss(0)]]) {
    const refusal = await sendAsClientsDo(await key.sign(signer));
    assert.deepEqual(refusal, { status: 401, code: "bad_signature" }, what);
    saw("refused", key, what);
  }
}

const MESSAGES = {
  "with body and query": ["POST", "/orders?item=1&count=2", BODY],
  "with body": ["PUT", "/orders/1", "x".repeat(100_000)],
  "with query": ["GET", "/orders?a=%2F&b", ""],
  "neither": ["DELETE", "/orders/1", ""],
};

/** What `countersign sign` signed, the library verifies, and no longer once it was changed. */
async function theOtherWay(key) {
  for (const [what, [method, target, body]] of Object.entries(MESSAGES)) {
    const type = body ? "Content-Type: application/json\r\n" : "";
    const input = `${method} ${target} HTTP/1.1\r\nHost: api.example.com\r\n${type}\r\n${body}`;
    const options = ["--key", `${key.id}.key`, "--id", key.id, "--algorithm", key.algorithm];
    const signed = execFileSync(binary, ["sign", ...options], { input, encoding: "utf8" });
    const [head, sent] = signed.split("\r\n\r\n");
    const headers = Object.fromEntries(head.split("\r\n").slice(1).map((line) => line.split(/: (.*)/)));
    assert.equal(sent, body);
    if (body) assert.equal(headers["Content-Digest"], digest(body));
    const covers = ["@method", "@authority", "@path", "@query", ...(body ? ["content-type", "content-digest"] : [])];
    assert.ok(headers["Signature-Input"].startsWith(`sig1=(${covers.map((name) => `"${name}"`).join(" ")})`));
    const request = { method, url: `https://api.example.com${target}`, headers };
    assert.equal(await key.verify(request), true, `${key.id}, ${what}: ${signed}`);
    const later = headers["Signature-Input"].replace(/nonce="/, 'nonce="0');
    for (const other of [
      { ...request, method: "PATCH" },
      { ...request, url: `${request.url}0` },
      { ...request, headers: { ...headers, "Signature-Input": later } },
    ]) {
      assert.equal(await key.verify(other), false, `${key.id}, ${what}, changed`);
    }
    saw("verified", key, what);
  }
}

async function main() {
  const keys = readFileSync("keys.txt", "utf8").trim().split("\n").map((line) => new Key(line));
  for (const key of keys) {
    await everyChange(key);
    await theOtherWay(key);
    if (key.algorithm === "rsa-pss-sha512") await everySalt(key);
  }
}

main().catch((fault) => {
  console.error(fault);
  process.exitCode = 1;
});

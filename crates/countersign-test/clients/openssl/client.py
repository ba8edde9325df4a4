"""Signed bytes put together by hand, under the `openssl` command. ../run.py says what is done here."""

import base64
import json
import pathlib
import re
import subprocess
import sys
import time
import uuid

import openssl
import wire

BINARY, GATEWAY, TABLES = sys.argv[1:]

ORDER = b'{"amount": "12"}'
COVERED = ("@method", "@authority", "@path", "@query", "content-type", "x-purpose", "content-digest")


def b64(data):
    return base64.b64encode(data).decode()


def moment():
    """The second ends in 5, so that a table can say the one before and the one after."""
    return int(time.time()) // 10 * 10 - 5


def base(names, method, target, headers, parameters):
    """RFC 9421, section 2.5: a line per component, and what Signature-Input says."""
    path, _, query = target.partition("?")
    values = {**headers, "@method": method, "@authority": headers["host"], "@path": path, "@query": f"?{query}"}
    values["@request-target"] = target
    lines = [f'"{name}": {values[name]}' for name in names]
    return "\n".join([*lines, f'"@signature-params": {parameters}']).encode()


class Key:
    def __init__(self, line):
        self.id, self.scheme, self.algorithm, *form = line.split()
        self.file = f"{self.id}.key"
        self.table = "-".join([self.scheme, *form[:1]]) + ".txt"

    def sign(self, signed, digest=None):
        return openssl.sign(self.algorithm, self.file, signed, digest)

    def request(self, digest=None):
        """A signed request."""
        return getattr(self, self.scheme.replace("-", "_"))(digest)

    def http_message_signatures(self, digest):
        target = "/orders?item=1&count=2"
        headers = {"Host": GATEWAY, "Content-Type": "application/json", "X-Purpose": "test"}
        headers["Content-Digest"] = f"sha-256=:{b64(openssl.sha256(ORDER))}:"
        names = " ".join(f'"{name}"' for name in COVERED)
        nonce = uuid.uuid4().hex
        parameters = f'({names});created={moment()};keyid="{self.id}";alg="{self.algorithm}";nonce="{nonce}"'
        signed = base(COVERED, "POST", target, lower(headers), parameters)
        headers |= {"Signature-Input": f"sig={parameters}", "Signature": f"sig=:{b64(self.sign(signed, digest))}:"}
        return wire.Request("POST", target, headers, ORDER)

    def pki(self, digest):
        """A body that is what Python would print of it already."""
        body = f'{{"content": "twelve", "message_id": "{uuid.uuid4()}", "timestamp": {moment()}}}'.encode()
        headers = {"Host": GATEWAY, "Content-Type": "application/json"}
        headers["Authorization"] = f"PKI {self.id}:{b64(self.sign(body, digest))}"
        return wire.Request("POST", "/messages", headers, body)

    def trusted_site(self, _):
        payload, stamp = f'{{"email":"{uuid.uuid4().hex}.twelve@example.com"}}', moment()
        signature = b64(self.sign(f"{payload}|{stamp}".encode()))
        body = {"payload": payload, "timestamp": stamp, "signature": signature, "site_id": self.id}
        headers = {"Host": GATEWAY, "Content-Type": "application/json"}
        return wire.Request("POST", "/trusted", headers, json.dumps(body, separators=(",", ":")).encode())

    def app_hmac(self, _):
        target, stamp, nonce = "/app?item=1&count=2", str(moment()), uuid.uuid4().hex[:8]
        mac = self.sign(f"POST{target}{stamp}{nonce}".encode() + ORDER)
        headers = {"Host": GATEWAY, "Content-Type": "application/json", "AppId": self.id}
        return wire.Request("POST", target, headers | {"Timestamp": stamp, "Nonce": nonce, "Signature": mac.hex()}, ORDER)


def every_change(key):
    """Each change is refused; what was changed passes as it was, so it was the change, and refusing it spent nothing; once."""
    for what, code, find, put in wire.rows(f"{TABLES}/{key.table}"):
        request = key.request()
        expect(code, wire.send(GATEWAY, wire.changed(request.bytes(), find, put)), f"{key.id}, {what}")
        saw("refused", key, what)
        expect("passed", request.send_as_clients_do(), f"{key.id}, after {what}")
        saw("passed", key, what)
        expect("replayed", request.send_as_clients_do(), f"{key.id}, again after {what}")
        saw("replayed", key, what)


def every_salt(key):
    """RFC 9421 (3.3.1) knows one length of salt, `pki` the four that senders use."""
    digest, fine = {"rsa-pss-sha512": ("sha512", [64]), "rsa-pss-sha256": ("sha256", [32, "max", 20, 0])}[key.algorithm]
    for salt in ("max", 64, 63, 32, 31, 20, 1, 0):
        request = key.request(openssl.pss(digest, salt))
        column, code = ("passed", "passed") if salt in fine else ("refused", "bad_signature")
        expect(code, request.send_as_clients_do(), f"{key.id}, salt {salt}")
        saw(column, key, f"salt {salt}")


def the_other_way(key):
    """What `countersign sign --show-base` says that it signed is what it signed, and what is to be signed."""
    body_only = key.scheme in ("pki", "trusted-site")
    path = {"pki": "/messages", "trusted-site": "/trusted"}.get(key.scheme, "/orders")
    first = b'{"timestamp": 1795000000, "message_id": "\xc3\xa9|1"}'
    other = b'{"timestamp": 1795000000, "message_id": "1", "a": [1e2, "\\/"]}'
    messages = [("with body", "POST", path, first)]
    if body_only:
        messages += [("another body", "POST", path, other)]
    else:
        messages += [("with query", "GET", f"{path}?a=%2F&b", b""), ("empty query", "PUT", f"{path}?", ORDER + b"\xff\0")]
    for what, method, target, body in messages:
        kind = b"Content-Type: application/json\r\n" if body else b""
        head = f"{method} {target} HTTP/1.1\r\nHost: api.example.com\r\n".encode()
        names = ["--key", key.file, "--id", key.id, "--scheme", key.scheme, "--algorithm", key.algorithm]
        done = subprocess.run(
            [BINARY, "sign", *names, "--show-base"], input=head + kind + b"\r\n" + body, capture_output=True, check=True
        )
        signed, message = done.stderr.removesuffix(b"\n"), wire.Request.parse(done.stdout)
        bytes_, signature = to_be_signed(key, message, body)
        expect(bytes_, signed, f"{key.id}, {what}: the signed bytes")
        verified = [openssl.verify(key.algorithm, key.file, text, signature) for text in (signed, signed + b"\n")]
        expect([True, False], verified, f"{key.id}, {what}: as it is, changed")
        saw("verified", key, what)


def to_be_signed(key, message, body):
    """The bytes that the message's own text says are signed, and the signature over them."""
    headers = lower(message.headers)
    if key.scheme == "http-message-signatures":
        if body:
            expect(f"sha-256=:{b64(openssl.sha256(body))}:", headers["content-digest"], "the digest")
        parameters = headers["signature-input"].removeprefix("sig1=")
        names = re.findall('"([^"]*)"', parameters[: parameters.index(")")])
        # Without it an empty query would read like none.
        expected = [*COVERED[:4], *(["@request-target"] if message.target.endswith("?") else [])]
        expect([*expected, *(["content-type", "content-digest"] if body else [])], names, "what is covered")
        signature = re.fullmatch("sig1=:(.*):", headers["signature"])[1]
        return base(names, message.method, message.target, headers, parameters), base64.b64decode(signature, validate=True)
    if key.scheme == "pki":
        signature = headers["authorization"].removeprefix(f"PKI {key.id}:")
        return json.dumps(json.loads(body), sort_keys=True).encode(), base64.b64decode(signature, validate=True)
    if key.scheme == "trusted-site":
        signed = json.loads(message.body)
        expect((body.decode(), key.id), (signed["payload"], signed["site_id"]), "what is sent")
        return f"{signed['payload']}|{signed['timestamp']}".encode(), base64.b64decode(signed["signature"], validate=True)
    head = f"{message.method}{message.target}{headers['timestamp']}{headers['nonce']}"
    return head.encode() + message.body, bytes.fromhex(headers["signature"])


def lower(headers):
    return {name.lower(): value for name, value in headers.items()}


def saw(column, key, what):
    print(column, key.id, what, sep="\t", flush=True)


def expect(expected, seen, what):
    assert expected == seen, f"{what}: expected {expected}, saw {seen}"


for line in pathlib.Path("keys.txt").read_text().splitlines():
    key = Key(line)
    every_change(key)
    if "-pss-" in key.algorithm:
        every_salt(key)
    the_other_way(key)

#!/usr/bin/env python3
"""Makes the vectors in this folder, with nothing of ours: Python and `cryptography` (48 or newer for ML-DSA).

    python3 vectors/make.py            # from the root of the repository

Keys are kept where keys.json has them, so that a second run changes signatures that are not deterministic and nothing
else. Each case is written out by hand below: what is signed and what is sent are two texts, so a case can differ in one.
"""
import base64
import hashlib
import hmac
import json
import pathlib

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

HERE = pathlib.Path(__file__).parent
NOW = 1795000000
ORDER_P256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def b64(data):
    return base64.b64encode(data).decode()


def make_key(algorithm):
    return {
        "ed25519": ed25519.Ed25519PrivateKey.generate,
        "ecdsa-p256-sha256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "ecdsa-p384-sha384": lambda: ec.generate_private_key(ec.SECP384R1()),
        "ml-dsa-44": mldsa.MLDSA44PrivateKey.generate,
        "ml-dsa-65": mldsa.MLDSA65PrivateKey.generate,
        "ml-dsa-87": mldsa.MLDSA87PrivateKey.generate,
    }.get(algorithm, lambda: rsa.generate_private_key(65537, 2048))()


def pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def public_pem(key):
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def fixed(signature, size):
    r, s = decode_dss_signature(signature)
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def sign(algorithm, key, data, salt=None):
    if algorithm == "hmac-sha256":
        return hmac.new(key, data, hashlib.sha256).digest()
    if algorithm == "ecdsa-p256-sha256":
        return fixed(key.sign(data, ec.ECDSA(hashes.SHA256())), 32)
    if algorithm == "ecdsa-p384-sha384":
        return fixed(key.sign(data, ec.ECDSA(hashes.SHA384())), 48)
    if algorithm == "rsa-pss-sha512":
        return key.sign(data, padding.PSS(padding.MGF1(hashes.SHA512()), 64), hashes.SHA512())
    if algorithm == "rsa-v1_5-sha256":
        return key.sign(data, padding.PKCS1v15(), hashes.SHA256())
    if algorithm == "rsa-pss-sha256":
        return key.sign(data, padding.PSS(padding.MGF1(hashes.SHA256()), 32 if salt is None else salt), hashes.SHA256())
    return key.sign(data)


class Folder:
    """A folder of vectors: its keys, and a file for each case."""

    def __init__(self, name, scheme, keys):
        self.path = HERE / name
        self.path.mkdir(exist_ok=True)
        for old in self.path.glob("*.txt"):
            old.unlink()
        self.scheme = scheme
        file = self.path / "keys.json"
        kept = {entry["id"]: entry for entry in json.loads(file.read_text())} if file.exists() else {}
        self.keys, entries = {}, []
        for key_id, algorithm, more in keys:
            entry = {"id": key_id, "scheme": scheme, "algorithm": algorithm, "partner": "acme", "state": "active"}
            before = kept.get(key_id, {})
            if algorithm == "hmac-sha256":
                secret = before.get("secret") or b64(hashlib.sha256(f"{name} {key_id}".encode()).digest())
                entry["secret"] = secret
                self.keys[key_id] = base64.b64decode(secret)
            else:
                private = before.get("private_key") or pem(make_key(algorithm))
                entry["private_key"] = private
                self.keys[key_id] = serialization.load_pem_private_key(private.encode(), None)
            entry.update(more)
            entries.append(entry)
        self.algorithms = {entry["id"]: entry["algorithm"] for entry in entries}
        file.write_text(json.dumps(entries, indent=2) + "\n")

    def case(self, name, expect, message, **header):
        lines = [f"scheme: {header.pop('scheme', self.scheme)}", f"now: {header.pop('now', NOW)}"]
        lines += [f"{key.replace('_', '-')}: {value}" for key, value in header.items()]
        lines += [f"expect: {expect}", "", ""]
        if isinstance(message, str):
            message = message.encode()
        (self.path / f"{name}.txt").write_bytes("\n".join(lines).encode() + message)

    def sign(self, key_id, data, **more):
        return sign(self.algorithms[key_id], self.keys[key_id], data.encode() if isinstance(data, str) else data, **more)


BODY = '{"amount": 12}'
DIGEST = f"sha-256=:{b64(hashlib.sha256(BODY.encode()).digest())}:"


class Rfc:
    """One RFC 9421 request: what is signed follows what is sent, unless a case says otherwise."""

    def __init__(self, folder, key="ed25519"):
        self.folder, self.key = folder, key
        self.method, self.target, self.host = "POST", "/orders?a=b", "api.example.com"
        self.headers = [("Content-Type", "application/json"), ("Content-Digest", DIGEST)]
        self.body = BODY
        self.cover = ['"@method"', '"@authority"', '"@path"', '"@query"', '"content-type"', '"content-digest"']
        self.values, self.parameters, self.label = {}, None, "sig1"
        self.authority = None

    def get(self, target):
        self.method, self.target, self.headers, self.body = "GET", target, [], ""
        self.cover = self.cover[:4]
        return self

    def set(self, **values):
        self.__dict__.update(values)
        return self

    def value(self, identifier):
        if identifier in self.values:
            return self.values[identifier]
        path, _, query = self.target.partition("?")
        authority = self.authority or self.host
        derived = {
            '"@method"': self.method, '"@authority"': authority, '"@scheme"': "https", '"@path"': path, '"@query"': "?" + query,
            '"@request-target"': self.target, '"@target-uri"': f"https://{authority}{self.target}",
        }
        if identifier in derived:
            return derived[identifier]
        name = identifier.strip('"')
        return ", ".join(value.strip() for header, value in self.headers if header.lower() == name)

    def input(self):
        parameters = self.parameters or f';created={NOW};keyid="{self.key}";nonce="n-1"'
        return f"({' '.join(self.cover)}){parameters}"

    def base(self):
        lines = [f"{identifier}: {self.value(identifier)}\n" for identifier in self.cover]
        return "".join(lines) + f'"@signature-params": {self.input()}'

    def signature(self):
        return self.folder.sign(self.key, self.base())

    def signed(self):
        """The two header lines of this signature."""
        return [("Signature-Input", f"{self.label}={self.input()}"), ("Signature", f"{self.label}=:{b64(self.signature())}:")]

    def text(self, extra=None, drop=()):
        headers = [("Host", self.host), *self.headers, *(self.signed() if extra is None else extra)]
        head = "".join(f"{name}: {value}\r\n" for name, value in headers if name not in drop)
        length = f"Content-Length: {len(self.body.encode())}\r\n" if self.body else ""
        return f"{self.method} {self.target} HTTP/1.1\r\n{head}{length}\r\n{self.body}"


def http_message_signatures():
    algorithms = ["ed25519", "ecdsa-p256-sha256", "ecdsa-p384-sha384", "rsa-pss-sha512", "rsa-v1_5-sha256", "hmac-sha256",
                  "ml-dsa-44", "ml-dsa-65", "ml-dsa-87"]
    keys = [(name, name, {}) for name in algorithms]
    keys += [(state, "ed25519", {"state": state}) for state in ["pending", "retiring", "retired", "revoked", "suspended"]]
    keys += [("bolt", "ed25519", {"partner": "bolt"}), ("ended", "ed25519", {"not_after": NOW}), ("begins", "ed25519", {"not_before": NOW + 1})]
    folder = Folder("http-message-signatures", "http-message-signatures", keys)
    case = folder.case

    def make(key="ed25519"):
        return Rfc(folder, key)

    # What passes.
    for name in algorithms:
        case(f"accepted-{name}", "accepted", make(name).text())
        case(f"accepted-{name}-alg", "accepted", make(name).set(parameters=f';created={NOW};keyid="{name}";nonce="n";alg="{name}"').text())
    case("accepted-retiring", "accepted", make("retiring").text())
    case("accepted-foreign-order", "accepted", make().set(parameters=f';tag="t";nonce="n";keyid="ed25519";alg="ed25519";created={NOW}').text())
    case("accepted-unknown-parameter", "accepted", make().set(parameters=f';x=1.5;created={NOW};y;keyid="ed25519";z=:AA==:;nonce="n"').text())
    case("accepted-get", "accepted", make().get("/orders").text())
    case("accepted-repeated-query", "accepted", make().get("/orders?a=1&a=2&b").text())
    case("accepted-empty-query-request-target", "accepted", make().get("/orders?").set(cover=['"@method"', '"@authority"', '"@request-target"']).text())
    case("accepted-target-uri", "accepted", make().set(cover=['"@method"', '"@target-uri"', '"content-digest"']).text())
    case("accepted-target-uri-by-parts", "accepted", make().set(cover=['"@method"', '"@scheme"', '"@authority"', '"@path"', '"@query"', '"content-digest"']).text(),
         require='"@method" "@target-uri" "content-digest"')
    case("accepted-ipv6", "accepted", make().set(host="[2001:db8::1]:8443").text())
    case("accepted-default-port", "accepted", make().set(host="API.Example.com:443", authority="api.example.com").text())
    case("accepted-repeated-header", "accepted", make().set(headers=make().headers + [("X-List", " a "), ("X-List", "b")], cover=make().cover + ['"x-list"']).text())
    case("accepted-empty-header", "accepted", make().set(headers=make().headers + [("X-Empty", "")], cover=make().cover + ['"x-empty"']).text())
    sf = make().set(headers=make().headers + [("Priority", "  u=1,   i;x=1")])
    case("accepted-sf", "accepted", sf.set(cover=make().cover + ['"priority";sf'], values={'"priority";sf': "u=1, i;x=1"}).text())
    case("accepted-key", "accepted", sf.set(cover=make().cover + ['"priority";key="i"'], values={'"priority";key="i"': "?1;x=1"}).text())
    case("accepted-bs", "accepted", sf.set(cover=make().cover + ['"priority";bs'], values={'"priority";bs': f":{b64(b'u=1,   i;x=1')}:"}).text())
    parameter = make().get("/orders?fa%C3%A7ade=a+b%20c&x").set(cover=make().cover[:4] + ['"@query-param";name="fa%C3%A7ade"', '"@query-param";name="x"'])
    case("accepted-query-param", "accepted", parameter.set(values={'"@query-param";name="fa%C3%A7ade"': "a%20b%20c", '"@query-param";name="x"': ""}).text())
    both = f"{DIGEST}, sha-512=:{b64(hashlib.sha512(BODY.encode()).digest())}:"
    case("accepted-two-digests", "accepted", make().set(headers=[("Content-Type", "application/json"), ("Content-Digest", both)]).text())
    case("accepted-oldest", "accepted", make().text(), now=NOW + 300)
    case("accepted-newest", "accepted", make().text(), now=NOW - 30)
    case("accepted-nonce-optional", "accepted", make().set(parameters=f';created={NOW};keyid="ed25519"').text(), nonce="optional")
    case("accepted-over-nothing-where-nothing-is-demanded", "accepted", make().set(cover=[]).text(), require="none")
    two = make().signed() + make("bolt").set(label="sig2", parameters=f';created={NOW};keyid="bolt";nonce="n";tag="app"').signed()
    case("accepted-of-two-the-tagged", "accepted", make().text(two), tag="app")
    stranger = make("bolt").set(label="sig2", parameters=f';created={NOW};keyid="stranger";nonce="n"').signed()
    case("accepted-of-two-the-known", "accepted", make().text(make().signed() + stranger))

    # Form.
    def wrong(name, **changes):
        case(f"malformed-{name}", "malformed", make().set(**changes).text())

    wrong("component-twice", cover=make().cover + ['"@method"'])
    wrong("component-twice-other-parameter-order", cover=make().cover + ['"x";sf;req', '"x";req;sf'], values={'"x";sf;req': "", '"x";req;sf': ""})
    wrong("unknown-derived-component", cover=make().cover + ['"@nothing"'], values={'"@nothing"': "x"})
    wrong("signature-params-covered", cover=make().cover + ['"@signature-params"'], values={'"@signature-params"': "x"})
    wrong("covered-field-absent", cover=make().cover + ['"x-absent"'], values={'"x-absent"': ""})
    wrong("status-of-a-request", cover=make().cover + ['"@status"'], values={'"@status"': "200"})
    wrong("req-on-a-request", cover=make().cover + ['"@method";req'], values={'"@method";req': "POST"})
    wrong("unknown-component-parameter", cover=make().cover + ['"content-type";zz'], values={'"content-type";zz': "application/json"})
    wrong("bs-with-sf", headers=sf.headers, cover=make().cover + ['"priority";bs;sf'], values={'"priority";bs;sf': "u=1"})
    wrong("member-absent", headers=sf.headers, cover=make().cover + ['"priority";key="z"'], values={'"priority";key="z"': ""})
    wrong("sf-of-unknown-kind", headers=make().headers + [("X-A", "1")], cover=make().cover + ['"x-a";sf'], values={'"x-a";sf': "1"})
    wrong("field-name-in-capitals", cover=make().cover + ['"Content-Type"'], values={'"Content-Type"': "application/json"})
    wrong("query-param-twice", target="/orders?a=1&%61=2", cover=make().cover + ['"@query-param";name="a"'], values={'"@query-param";name="a"': "1"})
    wrong("created-beyond-15-digits", parameters=';created=1795000000000000;keyid="ed25519";nonce="n"')
    wrong("created-fractional", parameters=f';created={NOW}.0;keyid="ed25519";nonce="n"')
    wrong("created-a-string", parameters=f';created="{NOW}";keyid="ed25519";nonce="n"')
    wrong("parameter-twice", parameters=f';created={NOW};keyid="ed25519";nonce="n";nonce="m"')
    wrong("empty-nonce", parameters=f';created={NOW};keyid="ed25519";nonce=""')
    wrong("long-nonce", parameters=f';created={NOW};keyid="ed25519";nonce="{"n" * 257}"')
    for name, target in [("double-slash", "//orders"), ("dot-segment", "/a/../orders"), ("escaped-dots", "/%2e%2e/orders"),
                         ("dots-with-parameter", "/a/..;x/orders"), ("escaped-slash", "/a%2Forders"), ("backslash", "/a\\orders"),
                         ("fragment", "/orders#a"), ("bad-escape", "/orders%zz"), ("not-utf8", "/orders%ff")]:
        wrong(f"target-{name}", target=target)
    wrong("header-beyond-ascii", headers=make().headers + [("X-Name", "caf\u00e9")], cover=make().cover + ['"x-name"'])
    case("malformed-label-twice", "malformed", make().text(make().signed() + make().signed()))
    case("malformed-label-without-signature", "malformed", make().text([make().signed()[0], ("Signature", "sig2=:AAAA:")]))
    case("malformed-no-signature", "malformed", make().text([make().signed()[0]]))
    case("malformed-base64-unpadded", "malformed", make().text([make().signed()[0], ("Signature", f"sig1=:{b64(make().signature()).rstrip('=')}:")]))
    case("malformed-signature-a-string", "malformed", make().text([make().signed()[0], ("Signature", f'sig1="{b64(make().signature())}"')]))
    case("malformed-not-a-list", "malformed", make().text([("Signature-Input", 'sig1="@method"'), make().signed()[1]]))
    many = " ".join(f'"h{number}"' for number in range(10_000))
    case("malformed-ten-thousand-components", "malformed", make().text([("Signature-Input", f"sig1=({many})"), make().signed()[1]]))
    case("malformed-ten-thousand-labels", "malformed", make().text([("Signature-Input", ", ".join(f"l{n}=()" for n in range(10_000))), make().signed()[1]]))
    case("malformed-content-type-twice", "malformed", make().text().replace("Content-Type:", "Content-Type: text/plain\r\nContent-Type:", 1))
    case("malformed-digest-no-dictionary", "malformed", make().set(headers=[("Content-Type", "application/json"), ("Content-Digest", DIGEST[:-1])]).text())
    case("malformed-digest-short", "malformed", make().set(headers=[("Content-Type", "application/json"), ("Content-Digest", "sha-256=:AAAA:")]).text())

    # Which signature.
    case("unsigned", "unsigned", make().text([]))
    case("ambiguous-two-qualify", "ambiguous", make().text(make().signed() + make("bolt").set(label="sig2").signed()))
    case("ambiguous-two-schemes", "ambiguous", make().text(make().signed() + [("Authorization", "PKI AAAA")]))
    case("scheme-not-allowed", "scheme_not_allowed", make().text(), scheme="pki")
    case("bad-one-is-not-hidden-by-a-good-one", "ambiguous",
         make().text(make().signed() + [("Signature-Input", f"sig2={make('bolt').input()}"), ("Signature", f"sig2=:{b64(bytes(64))}:")]))

    # Coverage: a signature over little is a bearer token.
    def small(name, cover, **header):
        case(f"coverage-{name}", "coverage_too_small", make().set(cover=cover).text(), **header)

    small("nothing", [])
    small("method-only", ['"@method"'])
    case("coverage-date-only", "coverage_too_small", make().set(headers=make().headers + [("Date", "now")], cover=['"date"']).text())
    for missing in make().cover[:4] + ['"content-digest"']:
        small(f"without-{missing.strip(chr(34)).strip('@')}", [one for one in make().cover if one != missing])
    case("coverage-content-digest-by-member-only", "coverage_too_small", make().set(
        cover=make().cover[:5] + ['"content-digest";key="sha-256"'], values={'"content-digest";key="sha-256"': DIGEST[8:]}).text())
    case("coverage-query-param-is-not-the-query", "coverage_too_small", make().set(
        cover=['"@method"', '"@authority"', '"@path"', '"content-digest"', '"@query-param";name="a"'], values={'"@query-param";name="a"': "b"}).text())
    case("coverage-empty-query", "coverage_too_small", make().get("/orders?").text())
    for missing, parameters in [("created", ';keyid="ed25519";nonce="n"'), ("nonce", f';created={NOW};keyid="ed25519"'), ("keyid", f';created={NOW};nonce="n"')]:
        case(f"coverage-without-{missing}", "coverage_too_small", make().set(parameters=parameters).text())
    case("coverage-other-tag", "coverage_too_small", make().text(), tag="app")

    # Time.
    case("too-old", "too_old", make().text(), now=NOW + 301)
    case("too-old-expired", "too_old", make().set(parameters=f';created={NOW};expires={NOW + 5};keyid="ed25519";nonce="n"').text(), now=NOW + 6)
    case("malformed-created-negative", "malformed", make().set(parameters=';created=-1;keyid="ed25519";nonce="n"').text())
    case("not-yet-valid", "not_yet_valid", make().text(), now=NOW - 31)
    case("malformed-created-milliseconds", "malformed", make().set(parameters=f';created={NOW}000;keyid="ed25519";nonce="n"').text())
    case("fresh-header-does-not-help-an-old-signature", "too_old", make().set(headers=make().headers + [("Date", "now")]).text(), now=NOW + 301)

    # Keys.
    for key in ["pending", "retired", "revoked", "suspended", "ended", "begins"]:
        case(f"key-{key}", "key_not_usable", make(key).text())
    case("unknown-signer", "unknown_signer", make().set(parameters=f';created={NOW};keyid="nobody";nonce="n"').text())
    case("unknown-signer-traversal", "unknown_signer", make().set(parameters=f';created={NOW};keyid="../ed25519";nonce="n"').text())
    case("unknown-signer-comes-before-age", "unknown_signer", make().set(parameters=f';created={NOW};keyid="nobody";nonce="n"').text(), now=NOW + 999)
    case("algorithm-mismatch", "algorithm_mismatch", make().set(parameters=f';created={NOW};keyid="ed25519";nonce="n";alg="hmac-sha256"').text())
    case("algorithm-unknown", "algorithm_mismatch", make().set(parameters=f';created={NOW};keyid="ed25519";nonce="n";alg="none"').text())
    case("algorithm-not-admitted", "algorithm_mismatch", make().text(), algorithms="rsa-pss-sha512")
    confused = make("rsa-pss-sha512")
    public = public_pem(folder.keys["rsa-pss-sha512"]).encode()
    forged = hmac.new(public, confused.base().encode(), hashlib.sha256).digest()
    case("public-key-as-hmac-secret", "bad_signature", confused.text([confused.signed()[0], ("Signature", f"sig1=:{b64(forged)}:")]))
    pkcs1 = sign("rsa-v1_5-sha256", folder.keys["rsa-pss-sha512"], confused.base().encode())
    case("pkcs1-signature-of-a-pss-key", "bad_signature", confused.text([confused.signed()[0], ("Signature", f"sig1=:{b64(pkcs1)}:")]))
    curve = make("ecdsa-p256-sha256")
    der = folder.keys["ecdsa-p256-sha256"].sign(curve.base().encode(), ec.ECDSA(hashes.SHA256()))
    case("ecdsa-in-der", "bad_signature", curve.text([curve.signed()[0], ("Signature", f"sig1=:{b64(der)}:")]))
    case("partner-not-allowed", "partner_not_allowed", make().text(), partners="bolt")
    case("partner-not-allowed-comes-after-the-signature", "bad_signature", make().text().replace("POST /orders", "POST /other"), partners="bolt")

    # Anything changed.
    good = make()
    for name, (old, new) in {
        "method": ("POST ", "PUT "), "path": ("/orders?", "/orders/?"), "query": ("?a=b", "?a=c"), "query-escape": ("?a=b", "?a=%62"),
        "host": ("Host: api", "Host: evil"), "content-type": ("application/json", "text/plain"), "created": (f"created={NOW}", f"created={NOW + 1}"),
        "nonce": ('nonce="n-1"', 'nonce="n-2"'), "parameter-added": (';keyid="ed', ';x;keyid="ed'), "order-of-parameters": (
            f';created={NOW};keyid="ed25519"', f';keyid="ed25519";created={NOW}'), "signature": ("Signature: sig1=:", "Signature: sig1=:AAAA"),
    }.items():
        text = good.text().replace(old, new, 1)
        if name == "signature":
            text = good.text([good.signed()[0], ("Signature", f"sig1=:{b64(bytes([good.signature()[0] ^ 1]) + good.signature()[1:])}:")])
        case(f"changed-{name}", "bad_signature", text)
    case("changed-body", "digest_mismatch", good.text().replace('12}', '13}'))
    swapped = good.text().replace('12}', '13}').replace(DIGEST, f"sha-256=:{b64(hashlib.sha256(BODY.replace('12', '13').encode()).digest())}:")
    case("changed-body-and-digest", "bad_signature", swapped)
    for name, digest in [("md5", f"md5=:{b64(hashlib.md5(BODY.encode()).digest())}:"), ("sha", f"sha=:{b64(hashlib.sha1(BODY.encode()).digest())}:"),
                         ("crc32c", "crc32c=:Q3lHIA==:"), ("one-of-two-wrong", f"{DIGEST}, sha-512=:{b64(bytes(64))}:")]:
        case(f"digest-{name}", "digest_mismatch", make().set(headers=[("Content-Type", "application/json"), ("Content-Digest", digest)]).text())
    case("body-too-large", "body_too_large", good.text(), max_body=13)

    # Replay.
    case("replayed", "replayed", good.text(), after="accepted-ed25519")
    case("replayed-under-another-label", "replayed", make().set(label="other").text(), after="accepted-ed25519")
    high = curve.signature()
    other_s = high[:32] + (ORDER_P256 - int.from_bytes(high[32:], "big")).to_bytes(32, "big")
    case("replayed-with-the-other-s", "replayed", curve.text([curve.signed()[0], ("Signature", f"sig1=:{b64(other_s)}:")]), after="accepted-ecdsa-p256-sha256")
    case("accepted-the-other-s", "accepted", curve.text([curve.signed()[0], ("Signature", f"sig1=:{b64(other_s)}:")]))
    case("replayed-with-another-salt", "replayed", make("rsa-pss-sha512").text(), after="accepted-rsa-pss-sha512")
    case("replayed-without-nonce-by-its-base", "replayed", make().set(parameters=f';created={NOW};keyid="ed25519"').text(), nonce="optional", after="accepted-nonce-optional")
    case("accepted-same-nonce-of-another-partner", "accepted", make("bolt").text(), after="accepted-ed25519")
    case("accepted-refused-ones-spend-no-nonce", "accepted", make().text(), after="changed-path")


def pki():
    folder = Folder("pki", "pki", [("site", "rsa-pss-sha256", {}), ("revoked", "rsa-pss-sha256", {"state": "revoked"}), ("bolt", "rsa-pss-sha256", {"partner": "bolt"})])
    case = folder.case
    document = {"message_id": "m-1", "sender": "acme", "content": "Gr\u00fc\u00dfe \U0001f600", "priority": "low", "timestamp": NOW}

    def text(document, key="site", header=None, body=None, salt=None, target="/message1", method="POST", content_type="application/json"):
        printed = json.dumps(document, sort_keys=True)
        body = printed if body is None else body
        signature = b64(folder.sign(key, printed, salt=salt))
        header = f"PKI {key}:{signature}" if header is None else header.format(signature)
        data = body if isinstance(body, bytes) else body.encode()
        head = f"{method} {target} HTTP/1.1\r\nHost: api.example.com\r\nContent-Type: {content_type}\r\nAuthorization: {header}\r\nContent-Length: {len(data)}\r\n\r\n"
        return head.encode() + data

    def with_(**changes):
        return {**document, **changes}

    case("accepted", "accepted", text(document))
    case("accepted-bare-header", "accepted", text(document, header="PKI {}"), signer="site")
    case("accepted-spelled-otherwise", "accepted", text(document, body=json.dumps(document, ensure_ascii=False, indent=1)))
    for name, salt in [("0", 0), ("20", 20), ("maximum", 222)]:
        case(f"accepted-salt-{name}", "accepted", text(document, salt=salt))
    case("accepted-rfc3339", "accepted", text(with_(timestamp="2026-11-18T11:06:40Z")))
    case("accepted-rfc3339-offset", "accepted", text(with_(timestamp="2026-11-18T13:06:40.5+02:00")))
    case("accepted-zoneless-as-utc", "accepted", text(with_(timestamp="2026-11-18T11:06:40.000001")), zone="utc")
    numbers = {"a": 1.0, "b": 1e5, "c": -0.0, "d": 10**40, "e": 1e16, "f": 1e-7, "g": 5e-324, "h": 0.1, "i": 1e22, "j": 123456789012345678}
    case("accepted-numbers", "accepted", text(with_(numbers=numbers)))
    case("accepted-numbers-spelled-otherwise", "accepted", text(with_(n=[100000.0, 0, 0.5]), body=json.dumps(with_(n=[0, 0, 0])).replace("[0, 0, 0]", "[1E5, -0, 50e-2]")))
    case("accepted-keys-by-code-point", "accepted", text(with_(**{"\U0001f600": 1, "\ufffd": 2, "\u00e9": 3, "z": 4})))
    case("accepted-controls", "accepted", text(with_(content="\x00\x1f\x7f\u2028\"\\/\b\f\n\r\t")))
    deep = 1
    for _ in range(126):
        deep = [deep]
    case("accepted-deep", "accepted", text(with_(deep=deep)))
    case("malformed-too-deep", "malformed", text(with_(deep=[[deep]])))
    plain = json.dumps(document)
    for name, body in [("member-twice", plain[:-1] + ', "priority": "low"}'), ("member-twice-by-escape", plain[:-1] + ', "prior\\u0069ty": "low"}'),
                       ("nan", plain[:-1] + ', "n": NaN}'), ("infinity", plain[:-1] + ', "n": -Infinity}'), ("beyond-a-double", plain[:-1] + ', "n": 1e400}'),
                       ("lone-surrogate", plain[:-1] + ', "s": "\\ud800"}'), ("not-utf8", plain.encode()[:-1] + b', "s": "\xff"}'), ("trailing", plain + "x"),
                       ("truncated", plain[:-1]), ("empty-object-text", "{"), ("byte-order-mark", b"\xef\xbb\xbf" + plain.encode())]:
        case(f"malformed-{name}", "malformed", text(document, body=body))
    case("malformed-printing-of-a-multipart", "malformed", text({"content_type": None, "fields": {}, "filename": None, "sha256": "", "size": 0}))
    for name, stamp in [("words", "yesterday"), ("zoneless", "2026-11-18T11:06:40"), ("milliseconds", NOW * 1000), ("float", float(NOW)), ("null", None), ("digits-in-a-string", str(NOW)), ("negative", -NOW)]:
        case(f"malformed-timestamp-{name}", "malformed", text(with_(timestamp=stamp)))
    for name, value in [("empty", ""), ("long", "m" * 129), ("number", 1), ("null", None)]:
        case(f"malformed-message-id-{name}", "malformed", text(with_(message_id=value)))
    for name, header in [("no-base64", "PKI x"), ("empty", "PKI"), ("unpadded", "PKI site:AAA"), ("id-with-slash", "PKI a/b:{}"), ("two-blanks", "PKI  site:{}")]:
        case(f"malformed-header-{name}", "malformed", text(document, header=header))
    case("malformed-content-type", "malformed", text(document, content_type="text/plain"))
    without = {name: value for name, value in document.items() if name != "timestamp"}
    case("coverage-without-timestamp", "coverage_too_small", text(without))
    case("accepted-without-timestamp-where-unprotected", "accepted", text(without), replay="unprotected")
    case("coverage-without-message-id", "coverage_too_small", text({name: value for name, value in document.items() if name != "message_id"}))
    case("coverage-other-path", "coverage_too_small", text(document, target="/message2"), path="/message1")
    case("coverage-query", "coverage_too_small", text(document, target="/message1?a=b"))
    case("coverage-method", "coverage_too_small", text(document, method="PUT"))
    case("accepted-other-path-where-unsigned", "accepted", text(document, target="/message2?a=b", method="PUT"), path="/message1", unsigned_target="true")
    case("unsigned-no-header", "unsigned", text(document).replace(b"Authorization", b"X-Authorization"))
    case("unsigned-no-body", "unsigned", b"POST /message1 HTTP/1.1\r\nHost: api.example.com\r\nAuthorization: PKI site:AAAA\r\n\r\n")
    case("too-old", "too_old", text(document), now=NOW + 301)
    case("not-yet-valid", "not_yet_valid", text(document), now=NOW - 31)
    case("unknown-signer", "unknown_signer", text(document, header="PKI nobody:{}"))
    case("unknown-signer-bare", "unknown_signer", text(document, header="PKI {}"))
    case("key-revoked", "key_not_usable", text(document, key="revoked"))
    case("other-partners-key", "bad_signature", text(document, key="bolt", header="PKI site:{}"))
    case("changed-value", "bad_signature", text(document, body=plain.replace('"low"', '"high"')))
    case("changed-number-type", "bad_signature", text(with_(n=1), body=json.dumps(with_(n=1.0))))
    case("changed-signature", "bad_signature", text(document, header="PKI site:" + b64(bytes(256))))
    case("partner-not-allowed", "partner_not_allowed", text(document), partners="bolt")
    case("replayed", "replayed", text(document), after="accepted")
    case("replayed-by-its-id", "replayed", text(with_(priority="high")), after="accepted")
    case("scheme-not-allowed", "scheme_not_allowed", text(document), scheme="http-message-signatures")
    case("body-too-large", "body_too_large", text(document), max_body=20)


if __name__ == "__main__":
    http_message_signatures()
    pki()

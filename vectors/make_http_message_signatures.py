import hashlib
import hmac

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from make_folder import NOW, Folder, b64, fixed, public_pem, sign, verifies
from make_http_messages import http_messages

ORDER_P256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
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
    strangers = [line for number in range(9) for line in make().set(label=f"l{number}", parameters=f';created={NOW};keyid="stranger-{number}";nonce="n"').signed()]
    case("accepted-of-ten-the-known", "accepted", make().text([*strangers[:8], *make().signed(), *strangers[8:]]))
    tags = [line for number in range(9) for line in make().set(label=f"l{number}", parameters=f';created={NOW};keyid="ed25519";nonce="n-{number}";tag="t{number}"').signed()]
    case("accepted-of-nine-the-tagged", "accepted", make().text(tags), tag="t8")
    case("accepted-empty-query-target-uri", "accepted", make().get("/orders?").set(cover=['"@method"', '"@target-uri"']).text())
    case("accepted-query-without-value", "accepted", make().get("/orders?a&b=&=c").text())
    case("accepted-ipv6-default-port", "accepted", make().set(host="[2001:DB8::1]:443", authority="[2001:db8::1]").text())
    case("accepted-default-port-of-http", "accepted", make().set(host="api.example.com:80", authority="api.example.com").text(), origin="http://api.example.com:80")
    case("accepted-port-of-the-other-scheme", "accepted", make().set(host="api.example.com:80").text())

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
    known = make("bolt").set(label="l9", parameters=f';created={NOW};keyid="bolt";nonce="n"').signed()
    case("ambiguous-of-ten-two-are-known", "ambiguous", make().text([*strangers[:16], *make().signed(), *known]))
    case("unknown-signer-of-nine", "unknown_signer", make().text(strangers))
    case("coverage-no-tag-of-nine", "coverage_too_small", make().text(tags), tag="t")
    case("malformed-seventeen-labels", "malformed", make().text([line for number in range(17) for line in make().set(label=f"l{number}").signed()]))
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
    folder.note(der, lambda other: verifies("ecdsa-p256-sha256", folder.keys["ecdsa-p256-sha256"], curve.base().encode(), fixed(other, 32)))
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
    def sent(name, target, signed):
        case(f"changed-{name}", "bad_signature", signed.text().replace(f"GET {signed.target} ", f"GET {target} ", 1))

    sent("query-order", "/orders?b=2&a=1", make().get("/orders?a=1&b=2"))
    sent("query-repeated", "/orders?a=1&a=2", make().get("/orders?a=1"))
    sent("query-repetition-dropped", "/orders?a=2", make().get("/orders?a=1&a=2"))
    sent("query-plus-to-escape", "/orders?a=b%20c", make().get("/orders?a=b+c"))
    sent("query-escape-in-other-case", "/orders?a=%c3%A9", make().get("/orders?a=%C3%A9"))
    sent("query-value-to-none", "/orders?a", make().get("/orders?a="))
    whole = make().get("/orders?").set(cover=['"@method"', '"@authority"', '"@request-target"'])
    sent("empty-query-dropped", "/orders", whole)
    bare = make().get("/orders").set(cover=['"@method"', '"@authority"', '"@request-target"'])
    sent("empty-query-added", "/orders?", bare)
    case("changed-port", "bad_signature", good.text().replace("Host: api.example.com", "Host: api.example.com:8443"))
    case("changed-ipv6-address", "bad_signature", make().set(host="[2001:db8::2]", authority="[2001:db8::1]").text())
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
    folder.note(other_s, lambda other: verifies("ecdsa-p256-sha256", folder.keys["ecdsa-p256-sha256"], curve.base().encode(), other))
    case("replayed-with-the-other-s", "replayed", curve.text([curve.signed()[0], ("Signature", f"sig1=:{b64(other_s)}:")]), after="accepted-ecdsa-p256-sha256")
    case("accepted-the-other-s", "accepted", curve.text([curve.signed()[0], ("Signature", f"sig1=:{b64(other_s)}:")]))
    case("replayed-with-another-salt", "replayed", make("rsa-pss-sha512").text(), after="accepted-rsa-pss-sha512")
    case("replayed-without-nonce-by-its-base", "replayed", make().set(parameters=f';created={NOW};keyid="ed25519"').text(), nonce="optional", after="accepted-nonce-optional")
    case("accepted-same-nonce-of-another-partner", "accepted", make("bolt").text(), after="accepted-ed25519")
    case("accepted-refused-ones-spend-no-nonce", "accepted", make().text(), after="changed-path")

    # Other messages.
    http_messages(folder, make)

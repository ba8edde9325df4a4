import base64
import hashlib
import hmac
import json

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import aes_key_wrap

from make_folder import HERE, NOW, Folder, b64, pem

ORDER = '{ "card": {"number": %s}, "amount": 12.50 }'
CARD = "/card/number"


def url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def oaep(hash_):
    return padding.OAEP(padding.MGF1(hash_), hash_, None)


class Recipient:
    """A key that fields are sealed for."""

    def __init__(self, algorithm, before):
        made = rsa.generate_private_key(65537, 2048) if algorithm == "rsa-oaep-256" else ec.generate_private_key(ec.SECP256R1())
        self.pem = before or pem(made)
        self.key = serialization.load_pem_private_key(self.pem.encode(), None)
        numbers = self.key.public_key().public_numbers()
        if algorithm == "rsa-oaep-256":
            self.alg = "RSA-OAEP-256"
            whole = lambda number: url(number.to_bytes((number.bit_length() + 7) // 8, "big"))
            jwk = {"e": whole(numbers.e), "kty": "RSA", "n": whole(numbers.n)}
        else:
            self.alg = "ECDH-ES+A256KW"
            jwk = {"crv": "P-256", "kty": "EC", "x": url(numbers.x.to_bytes(32, "big")), "y": url(numbers.y.to_bytes(32, "big"))}
        # RFC 7638
        self.kid = url(hashlib.sha256(json.dumps(jwk, separators=(",", ":")).encode()).digest())

    def header(self, ptr=CARD, sub="acme", **more):
        header = {"alg": self.alg, "enc": "A256GCM", "kid": self.kid, "cty": "json", "ptr": ptr, "sub": sub, **more}
        return {name: value for name, value in header.items() if value is not None}

    def seal(self, text, header=None, spelled=None, wrap=None, parts=None, epk=None):
        """A JWE. Everything that is random in others is made from what it is for, so that a second run changes nothing."""
        header = dict(header or self.header())
        seed = hashlib.sha256(json.dumps([text, header, spelled, self.kid], default=str).encode()).digest()
        content_key, iv = hmac.digest(seed, b"key", "sha256"), hmac.digest(seed, b"iv", "sha256")[:12]
        if self.alg == "RSA-OAEP-256":
            wrapped = (wrap or (lambda key: self.key.public_key().encrypt(key, oaep(hashes.SHA256()))))(content_key)
        else:
            own = ec.derive_private_key(int.from_bytes(hmac.digest(seed, b"epk", "sha256"), "big") % (1 << 255) + 1, ec.SECP256R1())
            numbers = own.public_key().public_numbers()
            header["epk"] = epk or {"kty": "EC", "crv": "P-256", "x": url(numbers.x.to_bytes(32, "big")), "y": url(numbers.y.to_bytes(32, "big"))}
            shared = own.exchange(ec.ECDH(), self.key.public_key())
            # RFC 7518, section 4.6.2
            info = b"".join(len(part).to_bytes(4, "big") + part for part in (b"ECDH-ES+A256KW", b"", b""))
            wrapped = aes_key_wrap(hashlib.sha256(b"\0\0\0\1" + shared + info + (256).to_bytes(4, "big")).digest(), content_key)
        protected = url((spelled or (lambda text: text))(json.dumps(header)).encode())
        sealed = AESGCM(content_key).encrypt(iv, text.encode(), protected.encode())
        fields = [protected, url(wrapped), url(iv), url(sealed[:-16]), url(sealed[-16:])]
        return ".".join((parts or (lambda fields: fields))(fields))


def sealed_fields():
    folder = Folder("sealed-fields", "http-message-signatures", [("acme-1", "ed25519", {}), ("globex-1", "ed25519", {"partner": "globex"})])
    file = HERE / "sealed-fields" / "keys.json"
    entries = json.loads(file.read_text())
    kept_file = HERE / "sealed-fields" / "seal-keys.json"
    kept = json.loads(kept_file.read_text()) if kept_file.exists() else {}
    rsa_key, ec_key, lost = [Recipient(algorithm, kept.get(name)) for name, algorithm in [("rsa", "rsa-oaep-256"), ("ec", "ecdh-es"), ("lost", "ecdh-es")]]
    kept_file.write_text(json.dumps({"rsa": rsa_key.pem, "ec": ec_key.pem, "lost": lost.pem}, indent=2) + "\n")
    opening = [("seal-rsa", "rsa-oaep-256", rsa_key), ("seal-ec", "ecdh-es", ec_key)]
    entries += [{"use": "seal", "id": name, "algorithm": algorithm, "private_key": key.pem} for name, algorithm, key in opening]
    file.write_text(json.dumps(entries, indent=2) + "\n")

    def request(body, key="acme-1"):
        body = body.encode()
        digest = f"sha-256=:{b64(hashlib.sha256(body).digest())}:"
        covered = '("@method" "@authority" "@path" "@query" "content-digest")'
        params = f'{covered};created={NOW};keyid="{key}";nonce="n-{hashlib.sha256(body).hexdigest()[:16]}"'
        base = (f'"@method": POST\n"@authority": api.example.com\n"@path": /orders\n"@query": ?\n"content-digest": {digest}\n"@signature-params": {params}')
        lines = ["Host: api.example.com", "Content-Type: application/json", f"Content-Length: {len(body)}", f"Content-Digest: {digest}",
                 f"Signature-Input: sig={params}", f"Signature: sig=:{b64(folder.sign(key, base))}:"]
        return ("POST /orders HTTP/1.1\r\n" + "".join(f"{line}\r\n" for line in lines) + "\r\n").encode() + body

    # What OAEP wraps comes out otherwise at every run: a case that is there already is left as it is. To make one anew, delete it.
    def case(name, expect, body, key="acme-1", **header):
        old = folder.old.get(name)
        header = {"open": CARD, **header}
        (folder.path / f"{name}.txt").write_bytes(old) if old else folder.case(name, expect, request(body, key), **header)

    def order(field):
        return ORDER % json.dumps(field)

    def refused(name, field, **more):
        case(f"malformed-{name}", "malformed", order(field) if isinstance(field, str) else ORDER % field[0], **more)

    for name, key in [("rsa", rsa_key), ("ec", ec_key)]:
        case(f"accepted-{name}", "accepted", order(key.seal('"4111 1111"')), delivers=ORDER % '"4111 1111"')
        for what, value in [("a-number", "4.10"), ("an-object", '{"pan": "4111",  "exp": null}'), ("null", "null")]:
            case(f"accepted-{name}-{what}", "accepted", order(key.seal(value)), delivers=ORDER % value)
        case(f"accepted-{name}-foreign-where-unbound", "accepted", order(key.seal("7", key.header(None, None, cty=None))), unbound="true", delivers=ORDER % 7)
        refused(f"{name}-foreign", key.seal("7", key.header(None, None, cty=None)))
        refused(f"{name}-moved-to-another-field", key.seal("7", key.header("/card/code")))
        refused(f"{name}-of-another-partner", key.seal("7", key.header(sub="globex")))
        case(f"malformed-{name}-used-by-another-partner", "malformed", order(key.seal("7")), key="globex-1")
        refused(f"{name}-moved-where-unbound", key.seal("7", key.header("/card/code")), unbound="true")
        for what, text in [("two-values", "1 2"), ("a-member-more", '1,"amount":0'), ("nothing", ""), ("a-member-twice", '{"a": 1, "a": 2}'), ("nan", "NaN")]:
            refused(f"{name}-{what}", key.seal(text))
        for what, more in [("zip", {"zip": "DEF"}), ("crit", {"crit": ["exp"]}), ("other-enc", {"enc": "A128GCM"}), ("alg-none", {"alg": "none"}), ("alg-dir", {"alg": "dir"}),
                           ("sha-1", {"alg": "RSA-OAEP"}), ("pkcs1", {"alg": "RSA1_5"}), ("agreement-alone", {"alg": "ECDH-ES"}), ("no-kid", {"kid": None}), ("kid-unknown", {"kid": key.kid[::-1]}),
                           ("kid-of-another-kind", {"kid": (ec_key if key is rsa_key else rsa_key).kid}), ("no-ptr", {"ptr": None}), ("no-sub", {"sub": None}), ("no-cty", {"cty": None}),
                           ("expired", {"exp": NOW}), ("exp-in-words", {"exp": "never"})]:
            refused(f"{name}-{what}", key.seal("7", {**key.header(), **more} if None not in more.values() else {n: v for n, v in {**key.header(), **more}.items() if v is not None}))
        refused(f"{name}-member-of-its-header-twice", key.seal("7", spelled=lambda text: text.replace("{", '{"enc": "A256GCM", ', 1)))
        cut = lambda at, to: lambda fields: [to(field) if index == at else field for index, field in enumerate(fields)]
        for what, parts in [("tag-of-12-bytes", cut(4, lambda tag: tag[:16])), ("tag-changed", cut(4, lambda tag: ("B" if tag[0] == "A" else "A") + tag[1:])),
                            ("iv-of-11-bytes", cut(2, lambda iv: url(base64.urlsafe_b64decode(iv)[:11]))), ("key-changed", cut(1, lambda key: key[:9] + ("B" if key[9] == "A" else "A") + key[10:])),
                            ("padded", cut(4, lambda tag: tag + "==")), ("six-parts", lambda fields: [*fields, ""]), ("four-parts", lambda fields: fields[:4])]:
            refused(f"{name}-{what}", key.seal("7", parts=parts))
        case(f"accepted-{name}-not-yet-expired", "accepted", order(key.seal("7", key.header(exp=NOW + 1))), delivers=ORDER % 7)
    refused("rsa-oaep-sha-1-under-another-name", rsa_key.seal("7", wrap=lambda key: rsa_key.key.public_key().encrypt(key, oaep(hashes.SHA1()))))
    refused("rsa-pkcs1-under-another-name", rsa_key.seal("7", wrap=lambda key: rsa_key.key.public_key().encrypt(key, padding.PKCS1v15())))
    refused("ec-off-the-curve", ec_key.seal("7", epk={"kty": "EC", "crv": "P-256", "x": url(bytes(31) + b"\1"), "y": url(bytes(31) + b"\1")}))
    refused("ec-on-another-curve", ec_key.seal("7", epk={"kty": "EC", "crv": "P-384", "x": url(bytes(48)), "y": url(bytes(48))}))
    refused("of-a-key-that-is-not-there", lost.seal("7"))
    refused("of-a-key-that-is-not-there-under-the-name-of-another", lost.seal("7", {**lost.header(), "kid": ec_key.kid}))
    for what, value in [("plain", '"4111 1111"'), ("number", "4111"), ("object", '{"a": 1}'), ("empty", '""'), ("dots", '"...."')]:
        refused(f"not-sealed-{what}", [value])

    # Around it.
    several = '{"cards": [{"number": "%s"}, {"name": "A"}, {"number": "%s"}], "n": 1}'
    sealed = [ec_key.seal(value, ec_key.header(f"/cards/{at}/number")) for at, value in [(0, '"first"'), (2, '"second"')]]
    case("accepted-elements-of-an-array", "accepted", several % tuple(sealed), open="/cards/*/number", delivers=(several % ("first", "second")))
    case("malformed-elements-swapped", "malformed", several % tuple(reversed(sealed)), open="/cards/*/number")
    case("accepted-absent", "accepted", '{"amount": 12.50 }', delivers='{"amount": 12.50 }')
    case("accepted-one-that-nobody-asked-for", "accepted", order(ec_key.seal("7", ec_key.header(CARD))), open="/other")
    case("malformed-body-that-is-no-json", "malformed", "4111 1111")
    case("malformed-member-twice-around-it", "malformed", order(ec_key.seal("7")).replace("{", '{"amount": 1, ', 1))
    case("accepted-escaped-pointer", "accepted", '{"a/b": {"~": "%s"}}' % ec_key.seal("7", ec_key.header("/a~1b/~0")), open="/a~1b/~0", delivers='{"a/b": {"~": 7}}')
    changed = request(order(ec_key.seal("7"))).replace(b"12.50", b"12.51")
    if "digest-mismatch-before-anything-is-opened" not in folder.old:
        folder.case("digest-mismatch-before-anything-is-opened", "digest_mismatch", changed, open=CARD)
    else:
        (folder.path / "digest-mismatch-before-anything-is-opened.txt").write_bytes(folder.old["digest-mismatch-before-anything-is-opened"])

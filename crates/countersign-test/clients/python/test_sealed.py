"""Sealed fields in both directions between us and two libraries of JOSE, PyPI `jwcrypto` and `joserfc`.

What they seal for the key that the gateway publishes, the API behind it reads, and only there and from that partner; what
`countersign seal` sealed, they open.
"""

import json
import subprocess
import urllib.request

import joserfc.jwe
import joserfc.jwk
import jwcrypto.jwe
import jwcrypto.jwk
from cryptography.hazmat.primitives.serialization import load_pem_private_key

import binary
from case import TABLE
from third_party import SCHEME, ThirdParty

CONFIG = """
data = "countersign-data"

[gateway]
listen = ["LISTEN"]

[admin]
listen = "ADMIN"

[seal]
keys = ["rsa.pem", "ec.pem"]

[[route]]
path = "/orders"
upstream = "UPSTREAM"
refusals = "full"
open = ["/card/number", "/codes/*"]

[[route]]
path = "/foreign"
upstream = "UPSTREAM"
refusals = "full"
open = ["/card/number", "/codes/*"]
unbound = true
"""

ALGORITHMS = {"rsa": "RSA-OAEP-256", "ec": "ECDH-ES+A256KW"}
# As each has to come out again: to the byte, where a parser would change it.
VALUES = ['"4111 1111 1111 1111"', "4.10", '{"pan": "4111",  "exp": null}', "[]", '"\\u00e9 \U0001f4b3"', "1e2"]


class Jwcrypto:
    name = "jwcrypto"

    def seal(self, published, header, text):
        key = jwcrypto.jwk.JWK(**published)
        return jwcrypto.jwe.JWE(text, json.dumps(header), recipient=key).serialize(compact=True)

    def open(self, pem, compact):
        token = jwcrypto.jwe.JWE()
        token.deserialize(compact, jwcrypto.jwk.JWK.from_pem(pem))
        return dict(token.jose_header), token.payload


class Joserfc:
    name = "joserfc"
    # `ptr` is none of the names that RFC 7516 registers.
    registry = joserfc.jwe.JWERegistry(strict_check_header=False)
    registry.allowed = [*ALGORITHMS.values(), "A256GCM"]

    def seal(self, published, header, text):
        key = joserfc.jwk.import_key(published)
        return joserfc.jwe.encrypt_compact(header, text, key, registry=self.registry)

    def open(self, pem, compact):
        kty = "RSA" if hasattr(load_pem_private_key(pem, None), "decrypt") else "EC"
        opened = joserfc.jwe.decrypt_compact(compact, joserfc.jwk.import_key(pem, kty), registry=self.registry)
        return opened.headers(), opened.plaintext


LIBRARIES = [Jwcrypto(), Joserfc()]


class Sealed(ThirdParty):
    config = CONFIG

    @classmethod
    def onboard(cls):
        super().onboard()
        cls.countersign.generate("rsa-oaep-256", "rsa.pem")
        cls.countersign.generate("ecdh-es", "ec.pem")

    @property
    def published(self):
        with urllib.request.urlopen(f"http://{self.countersign.listen}/.well-known/jwks.json", timeout=20) as answer:
            self.assertEqual(answer.headers["content-type"], "application/jwk-set+json")
            keys = json.load(answer)["keys"]
        return {name: next(key for key in keys if key["alg"] == alg) for name, alg in ALGORITHMS.items()}

    def header(self, key, pointer, partner="acme", **more):
        bound = {"cty": "json", "ptr": pointer, "sub": partner}
        return {"alg": key["alg"], "enc": "A256GCM", "kid": key["kid"], **bound, **more}

    def order_of(self, body, target="/orders", **options):
        return self.order("ed25519", target=target, body=body.encode(), **options)

    def each(self):
        for library in LIBRARIES:
            for name, key in self.published.items():
                with self.subTest(library=library.name, key=name):
                    yield library, key, f"sealed by {library.name}, {key['alg']}"

    def test_what_they_seal_the_api_reads(self):
        for library, key, row in self.each():
            for value in VALUES:
                seal = lambda pointer: library.seal(key, self.header(key, pointer), value.encode())
                body = '{ "amount": 12.50, "card": {"number": "%s"}, "codes": ["%s", "%s"] }'
                order = self.order_of(body % (seal("/card/number"), seal("/codes/0"), seal("/codes/1")))
                self.assertNotIn(b"4111", order.bytes())
                seen = self.passes(row, order, "acme", "acme-ed25519", SCHEME)
                self.assertEqual(seen.body.decode(), body.replace('"%s"', "%s") % (value, value, value))
            self.assertNotIn("4111", self.countersign.printed())

    def test_what_they_seal_for_another_place_or_partner_opens_nowhere(self):
        for library, key, row in self.each():
            seal = lambda *header, text=b"7", **more: library.seal(key, self.header(key, *header, **more), text)
            moved = {
                "another field": seal("/card/code"),
                "another partner": seal("/card/number", "globex"),
                "expired": seal("/card/number", exp=1700000000),
                "a member more": seal("/card/number", text=b'1,"amount":0'),
                "unknown kid": seal("/card/number", kid="A" * 43),
                "cut": seal("/card/number")[:-1],
            }
            for what, sealed in moved.items():
                for target in ("/orders", "/foreign"):
                    self.not_opened(row, what, self.order_of('{"card": {"number": "%s"}}' % sealed, target))
            sealed = seal("/card/number")
            stolen = self.order_of('{"card": {"number": "%s"}}' % sealed, key_id="globex-ed25519")
            self.not_opened(row, "sent by another partner", stolen)

    def not_opened(self, row, what, order):
        answer = self.send(order)
        self.assertEqual(answer.code(), "malformed", (what, answer.body))
        self.assertEqual(json.loads(answer.body)["detail"], "/card/number can't be opened", what)
        TABLE[row]["refused"] += 1

    def test_foreign_ones_open_where_the_route_says_so(self):
        for library, key, row in self.each():
            foreign = {"alg": key["alg"], "enc": "A256GCM", "kid": key["kid"]}
            body = '{"card": {"number": "%s"}}' % library.seal(key, foreign, b'"4111"')
            self.not_opened(row, "foreign", self.order_of(body))
            seen = self.passes(row, self.order_of(body, "/foreign"), "acme", "acme-ed25519", SCHEME)
            self.assertEqual(json.loads(seen.body), {"card": {"number": "4111"}})

    def test_what_we_seal_they_open(self):
        for name in ALGORITHMS:
            to = self.countersign.directory / f"{name}.jwk"
            to.write_text(json.dumps(self.published[name]))
            pem = (self.countersign.directory / f"{name}.pem").read_bytes()
            for value in VALUES:
                document = '{"card": {"number": %s}}' % value
                command = [binary.PATH, "seal", "--field", "/card/number", "--to", to, "--partner", "acme"]
                done = subprocess.run(command, env=binary.ENVIRONMENT, input=document.encode(), capture_output=True, timeout=60)
                self.assertEqual(done.returncode, 0, done.stderr)
                sealed = json.loads(done.stdout)["card"]["number"]
                for library in LIBRARIES:
                    header, text = library.open(pem, sealed)
                    self.assertEqual(text.decode(), value, library.name)
                    self.assertEqual([header[name] for name in ("cty", "ptr", "sub")], ["json", "/card/number", "acme"])
                    TABLE[f"sealed by us, {header['alg']}"]["verified"] += 1


del ThirdParty

"""The other way round: what `countersign sign` signed, verified by PyPI `http-message-signatures` and, in the older schemes, by
Python's own `hmac` and PyPI `cryptography`, with nothing of ours between."""

import base64
import hashlib
import hmac
import itertools
import json
import re
import time
import unittest

import http_message_signatures as hms
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from binary import Countersign
from case import TABLE
from third_party import ALGORITHMS, Message
from wire import Request, flip

HOST = "api.example.com"
PSS = padding.PSS(padding.MGF1(hashes.SHA256()), 32)


def request(method, target, body=b"", content_type="application/json"):
    head = f"{method} {target} HTTP/1.1\r\nHost: {HOST}\r\n" + (f"Content-Type: {content_type}\r\n" if body else "")
    return head.encode() + b"\r\n" + body


class SignedByUs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.countersign = Countersign("")
        cls.addClassCleanup(cls.countersign.stop)

    def sign(self, message, algorithm, scheme, *options):
        """The signed request, and the half of a new key that verifies it."""
        name = f"{self.id()}.{time.monotonic_ns()}"
        path = self.countersign.generate(algorithm, name)
        names = ["--key", name, "--id", "acme-1", "--scheme", scheme, "--algorithm", algorithm]
        signed = Request.parse(self.countersign.sign(message, *names, *options))
        self.assertEqual(signed.get("Host"), HOST)
        if algorithm == "hmac-sha256":
            return signed, path.read_bytes().removesuffix(b"\n")
        return signed, load_pem_public_key(path.with_name(name + ".pub").read_bytes())

    def verified(self, row):
        TABLE[row]["verified"] += 1

    def holds_until_changed(self, row, key, signature, signed, scheme):
        """RSA over SHA-256."""
        key.verify(signature, signed, scheme, hashes.SHA256())
        for changed in (signed + b" ", flip(signed, 0)):
            with self.assertRaises(InvalidSignature):
                key.verify(signature, changed, scheme, hashes.SHA256())
        self.verified(row)

    def test_http_message_signatures(self):
        messages = [
            ("POST", "/orders?item=1&count=2", b'{"amount": 12}'),
            ("PUT", "/orders/%C3%A4;v=1", bytes(range(256))),
            ("PATCH", "/orders?", b"[]"),
            ("GET", "/orders?a=b+c%20d", b""),
            ("DELETE", "/orders/1", b""),
        ]
        for algorithm, message in itertools.product(ALGORITHMS, messages):
            with self.subTest(algorithm=algorithm, message=message[:2]):
                method, target, body = message
                signed, key = self.sign(request(*message), algorithm, "http-message-signatures")
                self.assertEqual((signed.method, signed.target, signed.body), message)
                verify = lambda signed, body=body: self.by_the_library(algorithm, key, signed, body)
                [result] = verify(signed)
                demanded = ["@method", "@authority", "@path", "@query", *(["content-type", "content-digest"] if body else [])]
                self.assertLessEqual({f'"{name}"' for name in demanded}, set(result.covered_components))
                parameters = result.parameters
                self.assertEqual((parameters["keyid"], parameters["alg"]), ("acme-1", algorithm))
                self.assertGreaterEqual(len(parameters["nonce"]), 16)
                self.assertLess(abs(parameters["created"] - time.time()), 60)
                self.never_when_changed(verify, signed, body)
                self.verified(algorithm)

    def by_the_library(self, algorithm, key, signed, body):
        class Resolver(hms.HTTPSignatureKeyResolver):
            def resolve_public_key(self, key_id):
                return key

            def resolve_private_key(self, key_id):
                return None

        message = Message(signed.method, f"https://{signed.get('Host')}{signed.target}", dict(signed.headers))
        verifier = hms.HTTPMessageVerifier(signature_algorithm=ALGORITHMS[algorithm], key_resolver=Resolver())
        return verifier.verify(message, body=body)

    def never_when_changed(self, verify, signed, body):
        if body:
            with self.assertRaises(hms.InvalidSignature):
                verify(signed, flip(body, 0))
        for change in (
            lambda request: setattr(request, "method", "OPTIONS"),
            lambda request: setattr(request, "target", request.target + "0"),
            lambda request: request.set("Host", "api.example.org"),
            lambda request: request.replace("Signature-Input", 'nonce="', 'nonce="0'),
            lambda request: request.replace("Signature-Input", 'keyid="', 'keyid="0'),
        ):
            changed = signed.copy()
            change(changed)
            with self.assertRaises((hms.InvalidSignature, InvalidSignature)):
                verify(changed)

    def test_pki(self):
        for document in (
            {"message_id": "1", "timestamp": 1795000000, "content": "Grüße, 你好, 🚀\u2028\x7f"},
            {"timestamp": "2026-11-23T10:00:00Z", "message_id": "é", "z": [1e100, -0.0, 2**70, None], "Z": {"": {}}},
        ):
            body = json.dumps(document, ensure_ascii=False, indent=2).encode()
            signed, key = self.sign(request("POST", "/message1", body), "rsa-pss-sha256", "pki")
            self.assertEqual(json.loads(signed.body), document)
            printed = json.dumps(document, sort_keys=True).encode()
            self.holds_until_changed("pki", key, self.pki_signature(signed), printed, PSS)

    def pki_signature(self, signed):
        self.assertRegex(signed.get("Authorization"), "^PKI acme-1:[A-Za-z0-9+/]+=*$")
        return base64.b64decode(signed.get("Authorization").removeprefix("PKI acme-1:"), validate=True)

    def test_pki_with_a_form(self):
        content = b"%PDF \r\n--limit\xff\0"
        fields = {"message_id": "1", "timestamp": "1795000000", "sender": "billing", "description": "é \"x\""}
        parts = [f'name="{name}"\r\n\r\n{value}'.encode() for name, value in fields.items()]
        parts.insert(2, b'name="file"; filename="a b.pdf"\r\nContent-Type: application/pdf\r\n\r\n' + content)
        lines = [b"--limits\r\nContent-Disposition: form-data; " + part + b"\r\n" for part in parts]
        message = request("POST", "/file", b"".join(lines) + b"--limits--\r\n", "multipart/form-data; boundary=limits")
        signed, key = self.sign(message, "rsa-pss-sha256", "pki")
        file = {"content_type": "application/pdf", "filename": "a b.pdf", "size": len(content)}
        printed = json.dumps({**file, "sha256": hashlib.sha256(content).hexdigest(), "fields": fields}, sort_keys=True)
        self.holds_until_changed("pki, a form", key, self.pki_signature(signed), printed.encode(), PSS)

    def test_trusted_site(self):
        for payload in ('{"email": "a@example.com"}', "é|1795000000|💶", '"\\u0000'):
            signed, key = self.sign(request("POST", "/trusted", payload.encode()), "rsa-v1_5-sha256", "trusted-site")
            self.assertEqual(signed.get("Content-Type"), "application/json")
            body = json.loads(signed.body)
            self.assertEqual(list(body), ["payload", "timestamp", "signature", "site_id"])
            self.assertEqual((body["payload"], body["site_id"]), (payload, "acme-1"))
            self.assertLess(abs(body["timestamp"] - time.time()), 60)
            signature = base64.b64decode(body["signature"], validate=True)
            printed = f"{body['payload']}|{body['timestamp']}".encode()
            self.holds_until_changed("trusted-site", key, signature, printed, padding.PKCS1v15())

    def test_app_hmac(self):
        nonces = {"hex8": "[0-9a-f]{8}", "hex32": "[0-9a-f]{32}", "uuid": "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"}
        units = {"seconds": 1, "milliseconds": 1000}
        messages = [("POST", "/app", b"\xff{}\0"), ("PUT", "/app?a=%2F", b"[1]"), ("GET", "/app?", b"")]
        for layout, unit, form in itertools.product(("method-first", "payload-first"), units, nonces):
            flags = ["--layout", layout, "--timestamp-unit", unit, "--nonce-form", form]
            for method, target, body in messages if layout == "method-first" else messages[:1]:
                with self.subTest(layout=layout, unit=unit, form=form, method=method):
                    signed, key = self.sign(request(method, target, body), "hmac-sha256", "app-hmac", *flags)
                    self.assertEqual((signed.method, signed.target, signed.body), (method, target, body))
                    fields = [signed.get(name) for name in ("AppId", "Timestamp", "Nonce", "Signature")]
                    identifier, stamp, nonce, signature = fields
                    self.assertEqual(identifier, "acme-1")
                    self.assertTrue(re.fullmatch(nonces[form], nonce), nonce)
                    self.assertLess(abs(int(stamp) / units[unit] - time.time()), 60)
                    parts = [f"{method}{target}{stamp}{nonce}".encode(), body]
                    if layout == "payload-first":
                        parts = [body, nonce.encode(), stamp.encode()]
                    self.assertEqual(hmac.new(key, b"".join(parts), hashlib.sha256).hexdigest(), signature)
                    self.verified(f"app-hmac, {layout}")

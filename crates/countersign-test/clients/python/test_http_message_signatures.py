"""RFC 9421 and RFC 9530 as somebody else's library speaks them: PyPI `http-message-signatures`.

For every algorithm a request passes, and passes no more once anything of it was changed on the way. After each refusal the
unchanged request is sent: it passes, so it was the change that was refused, and refusing it spent nothing of the sender's.
Then it is sent again, and is a replay.
"""

import datetime
import secrets

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from changes import CHANGES
from third_party import COVERED, ORDER, SCHEME, ThirdParty, put_signature, signature


class EveryAlgorithm(ThirdParty):
    def check(self, algorithm):
        for what, change in CHANGES.items():
            with self.subTest(what):
                request = self.order(algorithm)
                changed = request.copy()
                change(changed)
                self.refused(algorithm, what, changed)
                received = self.passes(algorithm, request, "acme", f"acme-{algorithm}", SCHEME)
                self.assertEqual((received.method, received.target), (request.method, request.target))
                self.assertEqual(received.body, request.body)
                self.replayed(algorithm, what, request)

    def test_ed25519(self):
        self.check("ed25519")

    def test_ecdsa_p256_sha256(self):
        self.check("ecdsa-p256-sha256")

    def test_ecdsa_p384_sha384(self):
        self.check("ecdsa-p384-sha384")

    def test_rsa_pss_sha512(self):
        self.check("rsa-pss-sha512")

    def test_rsa_v1_5_sha256(self):
        self.check("rsa-v1_5-sha256")

    def test_hmac_sha256(self):
        self.check("hmac-sha256")

    def test_ml_dsa_44(self):
        self.check("ml-dsa-44")

    def test_ml_dsa_65(self):
        self.check("ml-dsa-65")

    def test_ml_dsa_87(self):
        self.check("ml-dsa-87")


class Particulars(ThirdParty):
    """What is not the same for every algorithm."""

    def test_a_signature_said_in_another_way_is_the_same_request(self):
        """ECDSA, where (r, n - s) verifies wherever (r, s) does; PSS, where every salt makes another signature."""
        orders = {
            "ecdsa-p256-sha256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
            "ecdsa-p384-sha384": int(
                "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973", 16
            ),
        }
        for algorithm, order in orders.items():
            request = self.order(algorithm)
            self.passes(algorithm, request, "acme", f"acme-{algorithm}", SCHEME)
            size = (order.bit_length() + 7) // 8
            raw = signature(request)
            mirrored = raw[:size] + (order - int.from_bytes(raw[size:], "big")).to_bytes(size, "big")
            put_signature(request, mirrored)
            self.replayed(algorithm, "(r, n - s)", request)
        created, nonce = datetime.datetime.now(), secrets.token_urlsafe(16)
        first, second = (self.order("rsa-pss-sha512", created=created, nonce=nonce) for _ in range(2))
        self.assertNotEqual(signature(first), signature(second))
        self.passes("rsa-pss-sha512", first, "acme", "acme-rsa-pss-sha512", SCHEME)
        self.replayed("rsa-pss-sha512", "another salt", second)

    def test_a_label_is_only_a_label(self):
        request = self.order("ed25519", label="first")
        self.passes("ed25519", request, "acme", "acme-ed25519", SCHEME)
        for name in ("Signature", "Signature-Input"):
            request.replace(name, "^first=", "second=")
        self.replayed("ed25519", "another label", request)

    def test_ecdsa_signatures_are_r_and_s_not_der(self):
        for algorithm in ("ecdsa-p256-sha256", "ecdsa-p384-sha384"):
            request = self.order(algorithm)
            raw = signature(request)
            half = len(raw) // 2
            r, s = int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big")
            der = encode_dss_signature(r, s)
            self.assertEqual(decode_dss_signature(der), (r, s))
            put_signature(request, der)
            self.refused(algorithm, "DER", request)

    def test_another_key_of_the_same_kind_signs_for_nobody_else(self):
        for key, other in [("acme-ed25519", "globex-ed25519"), ("globex-ed25519", "acme-ed25519")]:
            request = self.order("ed25519", key_id=key, sign_as=other)
            self.refused("ed25519", f"{other} under the name of {key}", request, {"signature_invalid"})
        request = self.order("rsa-v1_5-sha256", key_id="acme-rsa-pss-sha512", include_alg=False)
        self.refused("rsa-v1_5-sha256", "an RSA key with the other padding", request, {"signature_invalid"})

    def test_a_public_key_is_no_shared_secret(self):
        public = (self.countersign.directory / "acme-rsa-pss-sha512.key.pub").read_bytes()
        self.keys.private["acme-rsa-pss-sha512 as a secret"] = public
        for include_alg in (True, False):
            request = self.order(
                "hmac-sha256",
                key_id="acme-rsa-pss-sha512",
                sign_as="acme-rsa-pss-sha512 as a secret",
                include_alg=include_alg,
            )
            self.refused("hmac-sha256", "a public key as secret", request, {"signature_invalid"})

    def test_time_is_judged_from_inside_the_signature(self):
        now = datetime.datetime.now()
        ago = lambda seconds: now - datetime.timedelta(seconds=seconds)
        self.passes("ed25519", self.order("ed25519", created=ago(280)), "acme", "acme-ed25519", SCHEME)
        self.passes("ed25519", self.order("ed25519", created=ago(-20)), "acme", "acme-ed25519", SCHEME)
        self.refused("ed25519", "five minutes old", self.order("ed25519", created=ago(310)), {"too_old"})
        self.refused("ed25519", "of tomorrow", self.order("ed25519", created=ago(-86400)), {"not_yet_valid"})
        self.refused("ed25519", "a minute early", self.order("ed25519", created=ago(-60)), {"not_yet_valid"})
        expired = self.order("ed25519", created=ago(60), expires=ago(30))
        self.refused("ed25519", "expired", expired, {"too_old"})

    def test_less_than_the_route_demands_is_not_enough(self):
        for left_out in COVERED:
            if left_out == "x-purpose":
                continue
            covered = tuple(component for component in COVERED if component != left_out)
            # Without `body` the library adds no coverage of its own.
            body = None if left_out == "content-digest" else ORDER
            request = self.order("ed25519", covered_component_ids=covered, body=body)
            request.body = ORDER
            self.refused("ed25519", f"without {left_out}", request, {"coverage_too_small"})
        for covered in [(), ("x-purpose",), ("@method",), ("@authority",)]:
            request = self.order("ed25519", covered_component_ids=covered, body=None)
            self.refused("ed25519", f"only {covered}", request, {"coverage_too_small"})

    def test_more_than_the_route_demands_passes(self):
        covers = [
            ("@method", "@target-uri", "content-type"),
            ("@method", "@authority", "@request-target", "content-type"),
            ("@scheme", *COVERED),
            (*COVERED, '"@query-param";name="item"'),
            (*COVERED, '"content-digest";key="sha-256"'),
            (*COVERED, '"content-digest";sf'),
            (*COVERED, '"x-purpose";bs'),
        ]
        for covered in covers:
            with self.subTest(covered):
                request = self.order("ed25519", covered_component_ids=covered)
                self.passes("ed25519", request, "acme", "acme-ed25519", SCHEME)

    def test_requests_of_every_shape_pass(self):
        for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"):
            body = None if method in ("GET", "HEAD", "OPTIONS") else b"[1]"
            request = self.order("ed25519", method=method, body=body)
            self.passes("ed25519", request, "acme", "acme-ed25519", SCHEME)
        for target in ("/orders", "/orders/1", "/orders?a=%2F&b", "/orders?a=b+c%20d", "/orders/%C3%A4;v=1"):
            with self.subTest(target):
                request = self.order("ed25519", target=target)
                received = self.passes("ed25519", request, "acme", "acme-ed25519", SCHEME)
                self.assertEqual(received.target, target)
        for body in (b"", b"\x00\xff" * 1000, b"x" * (1 << 20)):
            received = self.passes("ed25519", self.order("ed25519", body=body), "acme", "acme-ed25519", SCHEME)
            self.assertEqual(received.body, body)

    def test_who_somebody_is_nobody_says_himself(self):
        request = self.order("ed25519")
        for name in ("Countersign-Partner", "countersign_partner", "COUNTERSIGN-KEY", "Countersign-User", "Client-Cert"):
            request.add(name, "globex")
        received = self.passes("ed25519", request, "acme", "acme-ed25519", SCHEME)
        self.assertNotIn("globex", received.headers.values())

    def test_one_key_serves_every_route_and_one_nonce_only_one(self):
        nonce = secrets.token_urlsafe(16)
        self.passes("ed25519", self.order("ed25519", nonce=nonce), "acme", "acme-ed25519", SCHEME)
        elsewhere = self.order("ed25519", target="/accounts", nonce=nonce)
        self.replayed("ed25519", "a nonce on another route", elsewhere)
        of_another = self.order("ed25519", key_id="globex-ed25519", nonce=nonce)
        self.passes("ed25519", of_another, "globex", "globex-ed25519", SCHEME)

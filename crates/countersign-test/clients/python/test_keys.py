"""The life of a key, seen from a client: what an operator does acts within a second beside the running gateway."""

import time

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from case import TABLE
from third_party import SCHEME, ThirdParty

ROW = "life of a key"


class Life(ThirdParty):
    def within_a_second(self, what, wanted, order):
        deadline = time.monotonic() + 1.5
        while (seen := self.send(order()).status) != wanted:
            self.assertLess(time.monotonic(), deadline, f"{what}: still {seen} after a second")
            time.sleep(0.05)
        TABLE[ROW]["passed" if wanted == 200 else "refused"] += 1

    def test_revoked_within_a_second_and_for_good(self):
        self.within_a_second("before", 200, lambda: self.order("ecdsa-p256-sha256"))
        self.countersign.on_registry("key", "revoke", "acme-ecdsa-p256-sha256", "--reason", "laptop lost")
        self.within_a_second("revoked", 401, lambda: self.order("ecdsa-p256-sha256"))

    def test_suspended_and_resumed(self):
        order = lambda: self.order("ed25519", key_id="globex-ed25519")
        self.within_a_second("before", 200, order)
        self.countersign.on_registry("partner", "suspend", "globex")
        self.within_a_second("suspended", 401, order)
        self.countersign.on_registry("partner", "resume", "globex")
        self.within_a_second("resumed", 200, order)

    def test_added_beside_the_running_gateway(self):
        self.add_key("acme", "acme-new", "ed25519")
        self.within_a_second("added", 200, lambda: self.order("ed25519", key_id="acme-new"))

    def test_made_at_home_and_not_by_us(self):
        """Public halves as other tools write them: SPKI, and for RSA also PKCS#1."""
        made = {
            "ed25519": (ed25519.Ed25519PrivateKey.generate(), PublicFormat.SubjectPublicKeyInfo),
            "ecdsa-p256-sha256": (ec.generate_private_key(ec.SECP256R1()), PublicFormat.SubjectPublicKeyInfo),
            "rsa-pss-sha512": (rsa.generate_private_key(65537, 3072), PublicFormat.PKCS1),
        }
        for algorithm, (private, form) in made.items():
            path = self.countersign.directory / f"home-{algorithm}"
            path.with_name(path.name + ".pub").write_bytes(private.public_key().public_bytes(Encoding.PEM, form))
            self.countersign.add_key("acme", path.name, SCHEME, algorithm, path)
            self.keys.private[path.name] = private
            self.within_a_second(path.name, 200, lambda: self.order(algorithm, key_id=path.name))

    def test_two_versions_overlap(self):
        first = self.keys.private["acme-ecdsa-p384-sha384"]
        self.within_a_second("before", 200, lambda: self.order("ecdsa-p384-sha384"))
        self.keys.private["first"] = first
        path = self.countersign.generate("ecdsa-p384-sha384", "second.key")
        self.countersign.add_key("acme", "acme-ecdsa-p384-sha384", SCHEME, "ecdsa-p384-sha384", path)
        self.keys.private["acme-ecdsa-p384-sha384"] = load_pem_private_key(path.read_bytes(), None)
        self.within_a_second("the second", 200, lambda: self.order("ecdsa-p384-sha384"))
        self.within_a_second("the first", 200, lambda: self.order("ecdsa-p384-sha384", sign_as="first"))

"""Requests as somebody else's library signs them, PyPI `http-message-signatures`, and the keys for it."""

import base64
import secrets

import http_message_signatures as hms
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from case import GatewayCase
from wire import Request, b64

SCHEME = "http-message-signatures"


class MlDsa(hms.HTTPSignatureAlgorithm):
    """What the library does not have yet: C2SP httpsig-pq, by its own way to add an algorithm."""

    def __init__(self, public_key=None, private_key=None):
        self.public_key, self.private_key = public_key, private_key

    def sign(self, message):
        return self.private_key.sign(message)

    def verify(self, signature, message):
        self.public_key.verify(signature, message)


ALGORITHMS = {
    algorithm.algorithm_id: algorithm
    for algorithm in [
        hms.algorithms.ED25519,
        hms.algorithms.ECDSA_P256_SHA256,
        hms.algorithms.ECDSA_P384_SHA384,
        hms.algorithms.RSA_PSS_SHA512,
        hms.algorithms.RSA_V1_5_SHA256,
        hms.algorithms.HMAC_SHA256,
        *(type("MlDsa", (MlDsa,), {"algorithm_id": f"ml-dsa-{size}"}) for size in (44, 65, 87)),
    ]
}

ORDER = b'{"amount": 12}'

COVERED = ("@method", "@authority", "@path", "@query", "content-type", "x-purpose", "content-digest")

CONFIG = """
data = "countersign-data"

[gateway]
listen = ["LISTEN"]

[admin]
listen = "ADMIN"

[[route]]
path = "/orders"
upstream = "UPSTREAM"
schemes = ["http-message-signatures"]
require = ["@method", "@authority", "@path", "@query", "content-type", "content-digest"]

[[route]]
path = "/accounts"
upstream = "UPSTREAM"
schemes = ["http-message-signatures"]
"""


class Keys(hms.HTTPSignatureKeyResolver):
    """Private keys and secrets by id, as `countersign key generate` wrote them."""

    def __init__(self):
        self.private = {}

    def resolve_private_key(self, key_id):
        return self.private[key_id]

    def resolve_public_key(self, key_id):
        return None


class ThirdParty(GatewayCase):
    """One key per algorithm, `acme` the partner of all but one."""

    config = CONFIG
    origin = None

    @classmethod
    def onboard(cls):
        cls.keys = Keys()
        for partner in ("acme", "globex"):
            cls.countersign.on_registry("partner", "add", partner)
        for algorithm in ALGORITHMS:
            cls.add_key("acme", f"acme-{algorithm}", algorithm)
        cls.add_key("globex", "globex-ed25519", "ed25519")

    @classmethod
    def add_key(cls, partner, identifier, algorithm):
        path = cls.countersign.generate(algorithm, f"{identifier}.key")
        cls.countersign.add_key(partner, identifier, SCHEME, algorithm, path)
        file = path.read_bytes()
        # Of a secret, its file's bytes are the secret, less one final LF.
        secret = algorithm == "hmac-sha256"
        cls.keys.private[identifier] = file.removesuffix(b"\n") if secret else load_pem_private_key(file, None)

    def order(self, algorithm, method="POST", target="/orders?item=1&count=2", body=ORDER, sign_as=None, **options):
        """A signed request. Every one has a nonce of its own. `options` are the library's."""
        host = self.origin or self.countersign.listen
        headers = {"Host": host, "Content-Type": "application/json", "X-Purpose": "test"}
        message = Message(method, f"{'https' if self.origin else 'http'}://{host}{target}", headers)
        options = {
            "key_id": f"acme-{algorithm}",
            "nonce": secrets.token_urlsafe(16),
            "covered_component_ids": COVERED,
            "body": body,
            **options,
        }
        if body is None and options["covered_component_ids"] is COVERED:
            options["covered_component_ids"] = COVERED[:-1]
        keys = self.keys
        if sign_as is not None:
            keys = Keys()
            keys.private[options["key_id"]] = self.keys.private[sign_as]
        hms.HTTPMessageSigner(signature_algorithm=ALGORITHMS[algorithm], key_resolver=keys).sign(message, **options)
        return Request(method, target, message.headers.items(), body or b"")


class Message:
    def __init__(self, method, url, headers):
        self.method, self.url, self.headers = method, url, headers


def signature(request):
    """The bytes of the one signature."""
    return base64.b64decode(request.get("Signature").split("=", 1)[1].strip(":"))


def put_signature(request, raw):
    label = request.get("Signature").split("=", 1)[0]
    request.set("Signature", f"{label}=:{b64(raw)}:")

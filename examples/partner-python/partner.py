"""A partner in Python: httpx, with requests signed by the PyPI library http-message-signatures, and a card number that
joserfc seals for the gateway, so that nothing in between can read it.

usage: partner.py URL KEY.pem KEYID PARTNER
"""

import secrets
import sys

import http_message_signatures as hms
import httpx
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from card import sealed


class Keys(hms.HTTPSignatureKeyResolver):
    def __init__(self, path):
        with open(path, "rb") as file:
            self.key = load_pem_private_key(file.read(), None)

    def resolve_private_key(self, key_id):
        return self.key


class Signed(httpx.Auth):
    """Signs every request that a client sends, anew on each attempt: a nonce passes once."""

    requires_request_body = True

    def __init__(self, path, key_id):
        self.key_id = key_id
        self.signer = hms.HTTPMessageSigner(signature_algorithm=hms.algorithms.ED25519, key_resolver=Keys(path))

    def auth_flow(self, request):
        covered = ["@method", "@authority", "@path", "@query"]
        if request.content:
            covered.append("content-type")  # and content-digest, which the library makes of `body`
        self.signer.sign(
            Message(request),
            key_id=self.key_id,
            nonce=secrets.token_urlsafe(16),
            covered_component_ids=covered,
            body=request.content or None,
        )
        yield request


class Message:
    """A request as the library wants to see it."""

    def __init__(self, request):
        self.method, self.url, self.headers = request.method, str(request.url), request.headers


url, path, key_id, partner = sys.argv[1:]
with httpx.Client(auth=Signed(path, key_id)) as client:
    order = {"sku": 1, "card": {"number": sealed("4111 1111 1111 1111", url, "/card/number", partner)}}
    for answer in (client.post(url, json=order), client.get(url, params={"open": "yes"})):
        print(answer.status_code, answer.text, end="")

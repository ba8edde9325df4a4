"""What only the gateway shall read, sealed by the PyPI library joserfc."""

import json
from urllib.parse import urljoin

import httpx
from joserfc import jwe
from joserfc.jwk import KeySet


def sealed(value, url, pointer, partner):
    """One JSON value as a JWE, which opens in this field only, and only in what this partner signed."""
    published = httpx.get(urljoin(url, "/.well-known/jwks.json")).raise_for_status().json()["keys"]
    # The first is the current one.
    current = next(key for key in published if key["use"] == "enc")
    key = KeySet.import_key_set({"keys": [current]}).keys[0]
    header = {"alg": key.alg, "enc": "A256GCM", "kid": key.kid, "cty": "json", "ptr": pointer, "sub": partner}
    # Of the library's own accord there are neither RSA-OAEP-256 nor `ptr` and `sub`, which bind it to its place and its sender.
    registry = jwe.JWERegistry(algorithms=[key.alg, "A256GCM"], strict_check_header=False)
    return jwe.encrypt_compact(header, json.dumps(value), key, registry=registry)

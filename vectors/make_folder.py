"""What every folder of vectors is made with: keys that are kept, signatures, and a file for each case."""
import base64
import hashlib
import hmac
import json
import pathlib

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

HERE = pathlib.Path(__file__).parent
NOW = 1795000000


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

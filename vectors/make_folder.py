"""What every folder of vectors is made with: keys that are kept, signatures, and a file for each case."""
import base64
import hashlib
import hmac
import json
import pathlib
import re

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

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


def verifies(algorithm, key, data, signature, salt=None):
    """Whether another run made this signature of the same bytes. For algorithms whose signatures differ each time."""
    public = key.public_key()
    try:
        if algorithm.startswith("ecdsa-"):
            half = len(signature) // 2
            der = encode_dss_signature(*(int.from_bytes(part, "big") for part in (signature[:half], signature[half:])))
            public.verify(der, data, ec.ECDSA(hashes.SHA256() if half == 32 else hashes.SHA384()))
        elif algorithm == "rsa-pss-sha512":
            public.verify(signature, data, padding.PSS(padding.MGF1(hashes.SHA512()), 64), hashes.SHA512())
        elif algorithm == "rsa-pss-sha256":
            public.verify(signature, data, padding.PSS(padding.MGF1(hashes.SHA256()), 32 if salt is None else salt), hashes.SHA256())
        else:
            public.verify(signature, data)
    except InvalidSignature:
        return False
    return True


class Folder:
    """A folder of vectors: its keys, and a file for each case."""

    def __init__(self, name, scheme, keys):
        self.path = HERE / name
        self.path.mkdir(exist_ok=True)
        self.old = {old.stem: old.read_bytes() for old in self.path.glob("*.txt")}
        for old in self.path.glob("*.txt"):
            old.unlink()
        self.scheme = scheme
        # Each signature that comes out otherwise at every run, and what tells another one of the same bytes.
        self.made = {}
        file = self.path / "keys.json"
        kept = {handle(entry): entry for entry in json.loads(file.read_text())} if file.exists() else {}
        self.keys, self.algorithms, entries = {}, {}, []
        for name_here, algorithm, more in keys:
            entry = {"id": name_here, "scheme": scheme, "algorithm": algorithm, "partner": "acme", "state": "active"}
            before = kept.get(handle({**entry, **more}), {})
            if algorithm == "hmac-sha256":
                secret = more.get("secret") or before.get("secret") or b64(hashlib.sha256(f"{name} {name_here}".encode()).digest())
                entry["secret"] = secret
                self.keys[name_here] = base64.b64decode(secret)
            else:
                entry["private_key"] = before.get("private_key") or pem(make_key(algorithm))
                self.keys[name_here] = serialization.load_pem_private_key(entry["private_key"].encode(), None)
            self.algorithms[name_here] = algorithm
            entries.append({**entry, **more})
        file.write_text(json.dumps(entries, indent=2) + "\n")

    def case(self, name, expect, message, **header):
        lines = [f"scheme: {header.pop('scheme', self.scheme)}", f"now: {header.pop('now', NOW)}"]
        lines += [f"{key.replace('_', '-')}: {value}" for key, value in header.items()]
        lines += [f"expect: {expect}", "", ""]
        if isinstance(message, str):
            message = message.encode()
        text = "\n".join(lines).encode() + message
        file = self.path / f"{name}.txt"
        assert not file.exists(), f"two cases are called {file}"
        file.write_bytes(self.old[name] if self.says_the_same(self.old.get(name, b""), text) else text)

    def sign(self, key_id, data, **more):
        algorithm, key = self.algorithms[key_id], self.keys[key_id]
        data = data.encode() if isinstance(data, str) else data
        signature = sign(algorithm, key, data, **more)
        if algorithm not in ("ed25519", "hmac-sha256", "rsa-v1_5-sha256"):
            self.note(signature, lambda other: verifies(algorithm, key, data, other, **more))
        return signature

    def note(self, signature, same):
        """Remembers a signature that differs at every run, with what finds another one as good."""
        self.made[b64(signature)] = same
        return signature

    def says_the_same(self, old, new):
        """Whether two files differ in nothing but signatures that could as well have come out like this."""
        olds, news = (re.split(rb"([A-Za-z0-9+/]{80,}={0,2})", text) for text in (old, new))
        if len(olds) != len(news):
            return False

        def same(one, other):
            check = self.made.get(other.decode("latin-1"))
            return one == other or (check is not None and check(base64.b64decode(one)))

        return all(same(one, other) for one, other in zip(olds, news))


def handle(entry):
    """What tells a key of a folder from the others."""
    return entry["id"], entry.get("version", 1)

"""Users for whom a site vouches: a site in PHP and one in Python register them and log them in, and PyJWT verifies the tokens
that they get against the keys that the gateway publishes."""

import base64
import json
import pathlib
import secrets
import subprocess
import time
import urllib.error
import urllib.request

import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from case import TABLE, GatewayCase

CONFIG = """
data = "countersign-data"

[gateway]
listen = ["LISTEN"]

[admin]
listen = "ADMIN"

[token]
algorithm = "ALGORITHM"
issuer = "https://api.example.com"
default_credits = 25

[[route]]
path = "/auth/me"
upstream = "UPSTREAM"
schemes = []
user = "required"
"""

REGISTER, LOGIN = "/auth/trusted/register", "/auth/trusted/login"
PHP = pathlib.Path(__file__).resolve().parent.parent / "php" / "site.php"


class PhpSite:
    row = "site in PHP"

    def __init__(self, key, site_id):
        self.key, self.id = key, site_id

    def ask(self, base, path, email):
        command = ["php", PHP, base, self.key, self.id, path, email]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        status, body = done.stdout.split("\n", 1)
        return int(status), json.loads(body)


class PythonSite:
    row = "site in Python"

    def __init__(self, key, site_id):
        self.key, self.id = load_pem_private_key(key.read_bytes(), None), site_id

    def body(self, path, email):
        payload = json.dumps({"email": email, "for": path, "request": secrets.token_hex(8)}, ensure_ascii=False)
        timestamp = int(time.time())
        signature = self.key.sign(f"{payload}|{timestamp}".encode(), padding.PKCS1v15(), hashes.SHA256())
        encoded = base64.b64encode(signature).decode()
        return {"payload": payload, "timestamp": timestamp, "signature": encoded, "site_id": self.id}

    def ask(self, base, path, email):
        return post(base + path, self.body(path, email))


def post(url, body):
    data = json.dumps(body).encode()
    return answer_to(urllib.request.Request(url, data, {"Content-Type": "application/json"}))


def answer_to(request):
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            body = answer.read()
            return answer.status, json.loads(body) if body.startswith(b"{") else {}
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)


class Exchange(GatewayCase):
    algorithm = None

    @classmethod
    def onboard(cls):
        cls.countersign.on_registry("partner", "add", "shop")
        cls.countersign.on_registry("partner", "add", "blog")
        cls.sites = []
        for partner, site_id, client in [("shop", "shop-php", PhpSite), ("shop", "shop-py", PythonSite), ("blog", "blog", PythonSite)]:
            key = cls.countersign.generate("rsa-v1_5-sha256", f"{site_id}.pem")
            cls.countersign.add_key(partner, site_id, "trusted-site", "rsa-v1_5-sha256", key)
            cls.sites.append(client(key, site_id))

    @property
    def base(self):
        return f"http://{self.countersign.listen}"

    def claims(self, token, **expected):
        """As any API would verify it, by what is published."""
        published = jwt.PyJWKClient(f"{self.base}/.well-known/jwks.json", timeout=20)
        key = published.get_signing_key_from_jwt(token)
        needed = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "site", "email"]
        options = {"require": needed, "strict_aud": True}
        expected = {"issuer": "https://api.example.com", "audience": "api", **expected}
        return jwt.decode(token, key, algorithms=[self.algorithm], options=options, **expected)

    def me(self, token):
        request = urllib.request.Request(f"{self.base}/auth/me", headers={"Authorization": f"Bearer {token}"})
        return answer_to(request)[0]

    def test_sites_register_users_and_log_them_in(self):
        php, python, blog = self.sites
        for site, other in [(php, python), (python, php)]:
            email = f"Zoë.{site.id}@Example.com"
            status, new = site.ask(self.base, REGISTER, email)
            self.assertEqual((status, new["token_type"]), (201, "bearer"), new)
            user = new["user"]
            self.assertEqual((user["email"], user["credits_remaining"]), (email.lower(), 25))
            self.assertEqual(user["registered_via"], site.id)
            TABLE[site.row]["passed"] += 1
            status, refused = other.ask(self.base, REGISTER, email.upper())
            self.assertEqual((status, refused["code"]), (409, "user_exists"))
            # Any site of the partner logs the user in, and none of another.
            status, login = other.ask(self.base, LOGIN, email)
            self.assertEqual((status, login["user"]), (200, user))
            status, refused = blog.ask(self.base, LOGIN, email)
            self.assertEqual((status, refused["code"]), (404, "no_user"))
            TABLE[site.row]["refused"] += 2
            for answer, by in [(new, site), (login, other)]:
                claims = self.claims(answer["access_token"])
                said = [claims[name] for name in ("sub", "email", "site")]
                self.assertEqual(said, [user["id"], user["email"], by.id])
                self.assertEqual(claims["exp"] - claims["iat"], 15 * 60)
                TABLE[f"token, {self.algorithm}"]["verified"] += 1
                before = len(self.countersign.upstream.seen)
                self.assertEqual(self.me(answer["access_token"]), 200)
                [seen] = self.countersign.upstream.seen[before:]
                self.assertEqual(seen.all("countersign-user"), [user["id"]])
                TABLE[f"token, {self.algorithm}"]["passed"] += 1

    def test_a_captured_registration_registers_nobody(self):
        _, python, _ = self.sites
        body = python.body(REGISTER, "captured@example.com")
        self.assertEqual(post(self.base + REGISTER, body)[0], 201)
        for path in (REGISTER, LOGIN):
            self.assertEqual(post(self.base + path, body)[1]["code"], "replayed")
            TABLE[python.row]["replayed"] += 1
        body = python.body(REGISTER, "bent@example.com")
        for change in [
            {"payload": body["payload"].replace("bent@", "best@")},
            {"timestamp": body["timestamp"] + 1},
            {"payload": f"{body['payload']}|{body['timestamp']}"},
            {"site_id": "shop-php"},
            {"timestamp": str(body["timestamp"])},
            {"timestamp": float(body["timestamp"])},
            {"site_id": "../shop-py"},
        ]:
            status, refused = post(self.base + REGISTER, body | change)
            self.assertIn((status, refused["code"]), [(401, "signature_invalid"), (400, "malformed")], change)
            TABLE[python.row]["refused"] += 1
        self.assertEqual(post(self.base + LOGIN, python.body(LOGIN, "bent@example.com"))[1]["code"], "no_user")
        self.assertEqual(post(self.base + REGISTER, body)[0], 201)

    def test_what_others_issue_is_no_token_of_ours(self):
        php, *_ = self.sites
        _, new = php.ask(self.base, REGISTER, f"{secrets.token_hex(4)}@example.com")
        token = new["access_token"]
        claims, head = self.claims(token), jwt.get_unverified_header(token)
        published = json.load(urllib.request.urlopen(f"{self.base}/.well-known/jwks.json", timeout=20))
        key = next(key for key in published["keys"] if key["use"] == "sig")
        public = base64.urlsafe_b64decode(key.get("x", key.get("n")) + "==")
        for forged in [
            jwt.encode(claims, None, "none", {"kid": head["kid"]}),
            jwt.encode(claims, public, "HS256", {"kid": head["kid"]}),
            jwt.encode(claims, secrets.token_bytes(32), "HS256", {"kid": head["kid"]}),
            token[: token.rindex(".")] + ".",
        ]:
            self.assertEqual(self.me(forged), 401)
            TABLE[f"token, {self.algorithm}"]["refused"] += 1
        self.assertEqual(self.me(token), 200)


class ExchangeEdDsa(Exchange):
    algorithm = "EdDSA"
    config = CONFIG.replace("ALGORITHM", "EdDSA")


class ExchangeRs256(Exchange):
    algorithm = "RS256"
    config = CONFIG.replace("ALGORITHM", "RS256")


del Exchange

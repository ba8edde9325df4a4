"""The `pki` scheme as a Python service speaks it: `json.dumps(sort_keys=True)` under RSA-PSS by PyPI `cryptography`."""

import base64
import datetime
import json
import uuid

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from case import GatewayCase
from wire import Request, b64, flip

CONFIG = """
data = "countersign-data"

[gateway]
listen = ["LISTEN"]

[admin]
listen = "ADMIN"

[[route]]
path = "/message1"
upstream = "UPSTREAM"
schemes = ["pki"]
[route.pki]
signer = "sender"

[[route]]
path = "/message2"
upstream = "UPSTREAM"
schemes = ["pki"]

[[route]]
path = "/orders"
upstream = "UPSTREAM"
schemes = ["http-message-signatures"]
"""

MAXIMUM = padding.PSS.MAX_LENGTH


def now(seconds=0):
    return datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)


def message(**members):
    """Message1, as the sending service makes it."""
    return {
        "message_id": str(uuid.uuid4()),
        "sender": "billing",
        "content": "Grüße, 你好, 🚀",
        "priority": "normal",
        "timestamp": now().isoformat(),
        **members,
    }


class Sender(GatewayCase):
    """`billing` signs as `sender`, and somebody else as `other`."""

    config = CONFIG

    @classmethod
    def onboard(cls):
        cls.countersign.on_registry("partner", "add", "billing")
        cls.countersign.on_registry("partner", "add", "shipping")
        cls.keys = {}
        for partner, key in [("billing", "sender"), ("shipping", "other")]:
            path = cls.countersign.generate("rsa-pss-sha256", f"{key}.pem")
            cls.countersign.add_key(partner, key, "pki", "rsa-pss-sha256", path)
            cls.keys[key] = serialization.load_pem_private_key(path.read_bytes(), None)

    def sign(self, document, salt=32, key="sender", hash_=hashes.SHA256):
        scheme = padding.PKCS1v15() if salt is None else padding.PSS(padding.MGF1(hash_()), salt)
        return self.keys[key].sign(json.dumps(document, sort_keys=True).encode(), scheme, hash_())


class Pki(Sender):
    def request(self, document, signature=None, target="/message1", key_id="sender", body=None):
        """The document as a client would print it, its members in their own order."""
        signature = self.sign(document) if signature is None else signature
        headers = {
            "Host": self.countersign.listen,
            "Content-Type": "application/json",
            "Authorization": "PKI " + (f"{key_id}:" if key_id else "") + b64(signature),
        }
        body = json.dumps(document, ensure_ascii=False, indent=1).encode() if body is None else body
        return Request("POST", target, headers.items(), body)

    def accepted(self, request, document, row="pki"):
        received = self.passes(row, request, "billing", "sender", "pki")
        # What was signed is what goes on, and nothing else.
        self.assertEqual(received.body, json.dumps(document, sort_keys=True).encode())
        self.assertEqual(received.all("content-length"), [str(len(received.body))])
        self.assertEqual(received.all("authorization"), [])
        return received

    def test_every_salt_that_senders_use_passes(self):
        for salt in (32, MAXIMUM, 20, 0):
            document = message()
            request = self.request(document, self.sign(document, salt))
            row = f"pki, salt {'maximum' if salt is MAXIMUM else salt}"
            self.accepted(request, document, row)
            self.replayed(row, "the same again", request)
            again = self.request(document, self.sign(document, 32))
            self.replayed(row, "signed anew over the same bytes", again)

    def test_no_other_padding_passes(self):
        for what, options in {
            "salt 1": {"salt": 1},
            "salt 31": {"salt": 31},
            "salt 33": {"salt": 33},
            "salt 64": {"salt": 64},
            "PKCS#1 v1.5": {"salt": None},
            "SHA-512": {"hash_": hashes.SHA512},
            "SHA-1": {"hash_": hashes.SHA1},
        }.items():
            document = message()
            self.refused("pki", what, self.request(document, self.sign(document, **options)), {"signature_invalid"})

    def test_any_member_changed_is_refused(self):
        changes = {name: lambda document, name=name: document.update({name: document[name] + " "}) for name in message()}
        changes |= {f"no {name}": lambda document, name=name: document.pop(name) for name in message()}
        changes |= {
            "a member more": lambda document: document.update(more=None),
            "a member renamed": lambda document: document.update(Content=document.pop("content")),
            "another type": lambda document: document.update(priority=["normal"]),
            "another time": lambda document: document.update(timestamp=now(1).isoformat()),
            "another id": lambda document: document.update(message_id=str(uuid.uuid4())),
            "composed in another way": lambda document: document.update(content="Gru\u0308\u00dfe, 你好, 🚀"),
        }
        for what, change in changes.items():
            with self.subTest(what):
                document = message()
                signature = self.sign(document)
                changed = dict(document)
                change(changed)
                self.refused("pki", what, self.request(changed, signature))
                self.accepted(self.request(document, signature), document)

    def test_numbers_equal_as_doubles_are_not_the_same_text(self):
        for signed, sent in [(1, 1.0), (1e5, 100000), (0.0, -0.0), (2**70, 2**70 + 1), (0.1, 0.10000000000000002)]:
            document = message(amount=signed)
            signature = self.sign(document)
            self.refused("pki", f"{sent} for {signed}", self.request({**document, "amount": sent}, signature))
            self.accepted(self.request(document, signature), document)

    def test_the_same_document_in_another_spelling_is_the_same_request(self):
        document = message(amount=12.5)
        signature = self.sign(document)
        backwards = dict(reversed(document.items()))
        spellings = [
            json.dumps(backwards).encode(),
            json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode(),
            json.dumps(document).replace("12.5", "125e-1").encode(),
        ]
        self.accepted(self.request(document, signature, body=spellings[0]), document)
        for body in spellings:
            self.replayed("pki", "another spelling", self.request(document, signature, body=body))

    def test_documents_that_two_readers_take_differently_are_refused(self):
        document = message()
        text = json.dumps(document)
        for what, body in {
            "a member twice": text[:-1] + ', "priority": "high"}',
            "the same member twice": text[:-1] + f', "priority": "{document["priority"]}"}}',
            "a number beyond a double": text[:-1] + ', "amount": 1e400}',
            "not a number": text[:-1] + ', "amount": NaN}',
            "something behind": text + "{}",
            "a comma too much": text[:-1] + ",}",
            "a lone surrogate": text[:-1] + ', "x": "\\ud800"}',
            "too deep": text[:-1] + ', "x": ' + "[" * 200 + "]" * 200 + "}",
        }.items():
            with self.subTest(what):
                self.refused("pki", what, self.request(document, body=body.encode()), {"malformed"})
        self.refused("pki", "not UTF-8", self.request(document, body=text.encode("utf-16")), {"malformed"})

    def test_anything_else_changed_is_refused(self):
        unnamed = lambda request: request.set("Authorization", request.get("Authorization").replace("sender:", ""))
        changes = {
            "first bit": lambda request: credential(request, lambda raw: flip(raw, 0)),
            "last bit": lambda request: credential(request, lambda raw: flip(raw, -1)),
            "shorter": lambda request: credential(request, lambda raw: raw[:-1]),
            "longer": lambda request: credential(request, lambda raw: raw + b"\0"),
            "empty": lambda request: credential(request, lambda raw: b""),
            "zeros": lambda request: credential(request, lambda raw: bytes(len(raw))),
            "no padding": lambda request: request.set("Authorization", request.get("Authorization").rstrip("=")),
            "more padding": lambda request: request.replace("Authorization", "$", "="),
            "a blank inside": lambda request: request.replace("Authorization", "sender:", "sender: "),
            "no credential": lambda request: request.remove("Authorization"),
            "another credential": lambda request: request.set("Authorization", "Bearer abc"),
            "two credentials": lambda request: request.add("Authorization", request.get("Authorization")),
            "another key": lambda request: request.replace("Authorization", "sender:", "other:"),
            "unknown key": lambda request: request.replace("Authorization", "sender:", "nobody:"),
            "method": lambda request: setattr(request, "method", "PUT"),
            "path": lambda request: setattr(request, "target", "/message1/1"),
            "a query": lambda request: setattr(request, "target", "/message1?a=b"),
            "an empty query": lambda request: setattr(request, "target", "/message1?"),
            "a route of another scheme": lambda request: setattr(request, "target", "/orders"),
            "content type": lambda request: request.set("Content-Type", "text/plain"),
            "no content type": lambda request: request.remove("Content-Type"),
            "no signer where none is set": lambda request: [setattr(request, "target", "/message2"), unnamed(request)],
            "the mark of another scheme": lambda request: request.add("Signature-Input", "a=()"),
        }
        for what, change in changes.items():
            with self.subTest(what):
                document = message()
                request = self.request(document)
                changed = request.copy()
                change(changed)
                self.refused("pki", what, changed)
                self.accepted(request, document)
                self.replayed("pki", what, request)

    def test_a_route_may_name_its_one_signer(self):
        document = message()
        self.accepted(self.request(document, key_id=None), document)
        self.replayed("pki", "named after all", self.request(document))
        document = message()
        signature = self.sign(document, key="other")
        self.refused("pki", "of another", self.request(document, signature, key_id=None), {"signature_invalid"})

    def test_time_and_id_come_from_the_document(self):
        no_form = {"malformed", "coverage_too_small"}
        for what, members, codes in [
            ("old", {"timestamp": now(-310).isoformat()}, {"too_old"}),
            ("early", {"timestamp": now(60).isoformat()}, {"not_yet_valid"}),
            ("without zone", {"timestamp": now().replace(tzinfo=None).isoformat()}, no_form),
            ("no time at all", {"timestamp": None}, no_form),
            ("an empty id", {"message_id": ""}, no_form),
            ("a long id", {"message_id": "x" * 129}, no_form),
        ]:
            self.refused("pki", what, self.request(message(**members)), codes)
        for stamp in (int(now().timestamp()), now().isoformat().replace("+00:00", "Z"), now(-280).isoformat()):
            document = message(timestamp=stamp)
            self.accepted(self.request(document), document)
        document = message()
        self.accepted(self.request(document), document)
        other = message(message_id=document["message_id"])
        self.replayed("pki", "an id again", self.request(other))


def credential(request, change):
    """Changes the bytes of the signature."""
    head, value = request.get("Authorization").split(":")
    request.set("Authorization", f"{head}:{b64(change(base64.b64decode(value)))}")

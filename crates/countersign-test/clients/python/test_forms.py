"""Uploads under `pki`: the form is made by PyPI `httpx`, signed by PyPI `cryptography`, and what goes on is read by Python's
own `email`."""

import email
import email.policy
import hashlib
import uuid

import httpx

from test_pki import CONFIG, Sender, now
from wire import Request, b64

ROW = "pki, a form"
PDF = b"%PDF-1.7\r\n--\xff\0 \r\n\r\n"


class Forms(Sender):
    config = CONFIG + '\n[[route]]\npath = "/file"\nupstream = "UPSTREAM"\nschemes = ["pki"]\n'

    def form(self, content=PDF, filename="a b.pdf", content_type="application/pdf", **fields):
        """Content type and body as httpx makes them, and what a sender signs of them."""
        fields = {"message_id": str(uuid.uuid4()), "timestamp": now().isoformat(), "sender": "billing", **fields}
        files = {"file": (filename, content, content_type)}
        made = httpx.Request("POST", "http://any/file", data=fields, files=files)
        printed = {"content_type": content_type, "fields": fields, "filename": filename}
        printed |= {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
        return made.headers["content-type"], made.read(), printed

    def upload(self, content_type, body, printed):
        headers = {"Host": self.countersign.listen, "Content-Type": content_type}
        headers["Authorization"] = f"PKI sender:{b64(self.sign(printed))}"
        return Request("POST", "/file", headers.items(), body)

    def parts(self, received):
        """The parts by name: file name, type and content."""
        head = f"Content-Type: {received.headers['content-type']}\r\n\r\n".encode()
        message = email.message_from_bytes(head + received.body, policy=email.policy.HTTP)
        self.assertEqual(message.defects, [])
        return {
            part.get_param("name", header="content-disposition"): (part.get_filename(), part.get_payload(decode=True))
            for part in message.iter_parts()
        }

    def test_uploads_pass_once_and_arrive_as_they_were_signed(self):
        for options in (
            {},
            {"description": "é \"x\" 💶\r\n--", "empty": ""},
            {"content": b"", "filename": "empty.txt", "content_type": "text/plain"},
            {"content": bytes(range(256)) * 1000, "filename": "x.bin", "content_type": "application/octet-stream"},
        ):
            content_type, body, printed = self.form(**options)
            request = self.upload(content_type, body, printed)
            parts = self.parts(self.passes(ROW, request, "billing", "sender", "pki"))
            name, content = parts.pop("file")
            self.assertEqual((name, hashlib.sha256(content).hexdigest()), (printed["filename"], printed["sha256"]))
            self.assertEqual({name: text.decode() for name, (_, text) in parts.items()}, printed["fields"])
            self.replayed(ROW, "the same again", request)
            self.replayed(ROW, "signed anew", self.upload(content_type, body, printed))

    def test_whatever_is_changed_of_an_upload_is_refused(self):
        for what, by, codes in (
            (b"%PDF-1.7", b"%PDF-1.8", {"signature_invalid"}),
            (b"a b.pdf", b"a c.pdf", {"signature_invalid"}),
            (b"application/pdf", b"application/pdg", {"signature_invalid"}),
            (b"billing", b"shipping", {"signature_invalid"}),
            (b'name="sender"', b'name="Sender"', {"signature_invalid"}),
            (b'name="sender"', b'name="message_id"', {"malformed"}),
            (b'name="sender"', b'name="sender"; name="x"', {"malformed"}),
            (b'filename="a b.pdf"', b"filename=\"a b.pdf\"; filename*=utf-8''x", {"malformed"}),
            (b"Content-Type: application/pdf", b"Content-Transfer-Encoding: base64", {"malformed"}),
        ):
            with self.subTest(what=what, by=by):
                content_type, body, printed = self.form()
                self.assertEqual(body.count(what), 1)
                self.refused(ROW, f"{by} for {what}", self.upload(content_type, body.replace(what, by), printed), codes)
                boundary = content_type.split("boundary=")[1].encode()
                for longer in (b"x\r\n" + body, body + b"x", body.replace(boundary + b"--", boundary)):
                    self.refused(ROW, "around the form", self.upload(content_type, longer, printed), {"malformed"})
                self.passes(ROW, self.upload(content_type, body, printed), "billing", "sender", "pki")

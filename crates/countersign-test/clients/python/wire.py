"""Requests as they stand on the wire, so that any byte of them can be changed."""

import base64
import copy
import http.client
import json
import re
import socket

# The codes that a message may be refused with for what a stranger did to it. `replayed` is not among them: it would hide
# whether the change was seen.
REFUSALS = {
    # What is not HTTP at all is answered by the HTTP layer, without a body.
    None: 400,
    "malformed": 400,
    "ambiguous": 400,
    "unsigned": 401,
    "scheme_not_allowed": 401,
    "coverage_too_small": 401,
    "digest_mismatch": 401,
    "too_old": 401,
    "not_yet_valid": 401,
    "signature_invalid": 401,
}


class Request:
    def __init__(self, method, target, headers, body=b""):
        self.method, self.target, self.body = method, target, body
        self.headers = [[name, value] for name, value in headers]

    @classmethod
    def parse(cls, message):
        head, body = message.split(b"\r\n\r\n", 1)
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        return cls(method, target, (line.split(": ", 1) for line in lines), body)

    def copy(self):
        return copy.deepcopy(self)

    def get(self, name):
        [value] = [value for known, value in self.headers if known.lower() == name.lower()]
        return value

    def set(self, name, value):
        [at] = [at for at, (known, _) in enumerate(self.headers) if known.lower() == name.lower()]
        self.headers[at][1] = value

    def add(self, name, value):
        self.headers.append([name, value])

    def remove(self, name):
        self.get(name)
        self.headers = [[known, value] for known, value in self.headers if known.lower() != name.lower()]

    def replace(self, name, pattern, by):
        """Changes the one place of a header that `pattern` finds."""
        value, count = re.subn(pattern, by, self.get(name))
        if count != 1 or value == self.get(name):
            raise AssertionError(f"{pattern} changes nothing, or more than one place, in {name}: {self.get(name)}")
        self.set(name, value)

    def bytes(self):
        lines = [f"{self.method} {self.target} HTTP/1.1"] + [f"{name}: {value}" for name, value in self.headers]
        names = [name.lower() for name, _ in self.headers]
        if self.body and "content-length" not in names and "transfer-encoding" not in names:
            lines.append(f"Content-Length: {len(self.body)}")
        lines.append("Connection: close")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + self.body

    def send(self, address):
        host, port = address.rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall(self.bytes())
            response = http.client.HTTPResponse(connection, method=self.method)
            response.begin()
            return Answer(response.status, response.headers, response.read())


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def code(self):
        """The code of a refusal, after a look at its form."""
        if self.headers.get("content-type", "").split(";")[0] != "application/problem+json":
            return None
        problem = json.loads(self.body)
        assert problem["status"] == self.status, problem
        assert problem["trace"] == self.headers["countersign-trace"], problem
        assert problem["server_time"], problem
        assert "no-store" in self.headers["cache-control"], self.headers
        if self.status == 401:
            assert self.headers.get("www-authenticate"), self.headers
        return problem["code"]


def flip(data, at):
    """The same bytes with one bit of one byte changed."""
    changed = bytearray(data)
    changed[at] ^= 1
    return bytes(changed)


def b64(data):
    return base64.b64encode(data).decode()

"""Requests as they stand on the wire, so that any byte of them can be changed."""

import http.client
import json
import pathlib
import re
import socket


class Request:
    def __init__(self, method, target, headers, body):
        self.method, self.target, self.headers, self.body = method, target, headers, body

    @classmethod
    def parse(cls, message):
        head, body = message.split(b"\r\n\r\n", 1)
        first, *lines = head.decode().split("\r\n")
        method, target, _ = first.split(" ")
        return cls(method, target, dict(line.split(": ", 1) for line in lines), body)

    def bytes(self):
        lines = [f"{self.method} {self.target} HTTP/1.1", *(f"{name}: {value}" for name, value in self.headers.items())]
        return "\r\n".join([*lines, "", ""]).encode() + self.body

    def send_as_clients_do(self):
        """By Python's own HTTP client; `passed`, or the code of the refusal."""
        connection = http.client.HTTPConnection(self.headers["Host"], timeout=20)
        try:
            connection.request(self.method, self.target, self.body, self.headers)
            answer = connection.getresponse()
            body = answer.read()
            return "passed" if answer.status == 200 else json.loads(body)["code"]
        finally:
            connection.close()


def rows(path):
    """The lines of a table of changes; ../changes/http-message-signatures.txt says how they are written."""
    for line in pathlib.Path(path).read_text().splitlines():
        if line and not line.startswith("#"):
            what, code, find, put = re.split(r" \| ?", line)
            yield what, code, find, put.replace(r"\r\n", "\r\n").replace(r"\x20", " ")


def changed(request, find, put):
    text = request.decode()
    filled = lambda found: re.sub(r"\$([1-3])", lambda group: found[int(group[1])], put)
    changed, count = re.subn(find, filled, text)
    assert count == 1 and changed != text, f"{find} changes {count} places of {text}"
    return changed.encode()


def send(address, request):
    """Sends a request, and gives the code of its refusal: `-` where there is none."""
    head, body = request.split(b"\r\n\r\n", 1)
    head += b"\r\nConnection: close"
    if body and not re.search(b"\r\n(Content-Length|Transfer-Encoding): ", head):
        head += b"\r\nContent-Length: %d" % len(body)
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(head + b"\r\n\r\n" + body)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head, body = answer.split(b"\r\n\r\n", 1)
    if not re.search(rb"(?mi)^content-type: application/problem\+json\r?$", head):
        return "-" if head.startswith(b"HTTP/1.1 400 ") else answer
    problem = json.loads(body)
    return problem["code"] if head.startswith(b"HTTP/1.1 %d " % problem["status"]) else answer

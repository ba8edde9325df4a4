"""Clients that no library would write: bytes as they please, over plain sockets."""

import http.client
import socket
import time

from case import TABLE
from third_party import SCHEME, ThirdParty

ROW = "sockets"


class Sockets(ThirdParty):
    def connect(self):
        host, port = self.countersign.listen.rsplit(":", 1)
        connection = socket.create_connection((host, int(port)), timeout=20)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def seen(self):
        return self.countersign.upstream.seen

    def answer(self, connection):
        response = http.client.HTTPResponse(connection)
        response.begin()
        return response.status, response.read()

    def test_byte_by_byte(self):
        request = self.order("ed25519")
        with self.connect() as connection:
            for at in request.bytes():
                connection.sendall(bytes([at]))
            self.assertEqual(self.answer(connection), (200, b"ok\n"))
        self.assertEqual(self.seen()[-1].body, request.body)
        self.assertEqual(self.seen()[-1].all("countersign-scheme"), [SCHEME])
        TABLE[ROW]["passed"] += 1

    def test_chunks_of_every_size(self):
        request = self.order("ed25519", body=bytes(range(256)) * 8)
        request.add("Transfer-Encoding", "chunked")
        whole, request.body = request.body, b""
        at, chunks = 0, b""
        for size in [1, 2, 3, 5, 8, 13, 255, 1024, len(whole)]:
            part = whole[at : at + size]
            chunks += f"{len(part):x}\r\n".encode() + part + b"\r\n"
            at += len(part)
        request.body = chunks + b"0\r\n\r\n"
        self.assertEqual(self.passes(ROW, request, "acme", "acme-ed25519", SCHEME).body, whole)

    def test_one_behind_the_other_without_waiting(self):
        requests = [self.order("ed25519", target=f"/orders/{number}") for number in range(3)]
        with self.connect() as connection:
            keep = [request.bytes().replace(b"Connection: close\r\n", b"") for request in requests[:-1]]
            connection.sendall(b"".join(keep) + requests[-1].bytes())
            everything = b"".join(iter(lambda: connection.recv(65536), b""))
        self.assertEqual(everything.count(b"HTTP/1.1 200 OK\r\n"), 3, everything)
        self.assertEqual([received.target for received in self.seen()[-3:]], ["/orders/0", "/orders/1", "/orders/2"])
        TABLE[ROW]["passed"] += 3

    def test_a_sender_that_stops_early(self):
        before = len(self.seen())
        request = self.order("ed25519", body=b"x" * 1000)
        with self.connect() as connection:
            connection.sendall(request.bytes()[:-1])
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(20)
            while connection.recv(65536):
                pass
        time.sleep(0.1)
        self.assertEqual(len(self.seen()), before)
        TABLE[ROW]["refused"] += 1
        # It had not been admitted, so the whole of it still is.
        self.passes(ROW, request, "acme", "acme-ed25519", SCHEME)

    def test_a_request_inside_the_body_of_a_refused_one(self):
        before = len(self.seen())
        inside = self.order("ed25519", target="/orders/smuggled")
        outside = self.order("ed25519", body=inside.bytes())
        outside.replace("X-Purpose", "test", "live")
        with self.connect() as connection:
            connection.sendall(outside.bytes().replace(b"Connection: close\r\n", b"", 1))
            connection.shutdown(socket.SHUT_WR)
            everything = b"".join(iter(lambda: connection.recv(65536), b""))
        self.assertEqual(everything.count(b"HTTP/1.1 "), 1, everything)
        self.assertIn(b" 401 ", everything.split(b"\r\n")[0])
        self.assertEqual(len(self.seen()), before)
        TABLE[ROW]["refused"] += 1

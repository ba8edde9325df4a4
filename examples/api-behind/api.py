"""An API that knows nothing of signatures. Who called, it reads from headers that only the gateway in front can have set,
so it must be reachable through the gateway only: it listens on loopback, or on a network of its own."""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Orders(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.answer(201, {"partner": self.headers["Countersign-Partner"], "got": json.loads(body)})

    def do_GET(self):
        who = ("Partner", "Key", "Scheme", "User")
        told = {name.lower(): self.headers[f"Countersign-{name}"] for name in who}
        self.answer(200, {name: value for name, value in told.items() if value})

    def answer(self, status, document):
        body = (json.dumps(document) + "\n").encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass  # the gateway has a line for each request, with the trace that is in Countersign-Trace


host, port = sys.argv[1].split(":")
ThreadingHTTPServer((host, int(port)), Orders).serve_forever()

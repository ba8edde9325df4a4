"""The real binary: keys onboarded through its command line, and a gateway before an upstream that keeps what it gets."""

import http.server
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request


# The binary under test, set by `run.py`.
PATH = None

# Whoever runs these tests may have settings of his own; nothing here may depend on them.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("COUNTERSIGN_")}


class Upstream:
    """An API that knows nothing of signatures. Keeps every request that reaches it."""

    def __init__(self):
        self.seen = []
        upstream = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Head and body of an answer are two writes.
            disable_nagle_algorithm = True

            def answer(self):
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                upstream.seen.append(Received(self.command, self.path, self.headers, body))
                self.send_response(200)
                self.send_header("content-length", "3")
                # An upstream that says who is who is not believed.
                self.send_header("countersign-trace", "of-the-upstream")
                self.end_headers()
                self.wfile.write(b"ok\n" if self.command != "HEAD" else b"")

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            # A hundred connections come at once, and none may be dropped here.
            request_queue_size = 512
            daemon_threads = True

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Received:
    def __init__(self, method, target, headers, body):
        self.method, self.target, self.headers, self.body = method, target, headers, body

    def all(self, name):
        return self.headers.get_all(name) or []


class Countersign:
    """A directory as `countersign init` makes it, the commands on it, and its gateway."""

    def __init__(self, config):
        """`config` is the text of the configuration, in which UPSTREAM, LISTEN and ADMIN stand for addresses."""
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="countersign-clients-"))
        self.gateway = None
        self.upstream = Upstream()
        self.run("init", "--dir", str(self.directory))
        self.listen, self.admin = free_address(), free_address()
        self.config = self.directory / "clients.toml"
        for word, address in [("UPSTREAM", self.upstream.url), ("LISTEN", self.listen), ("ADMIN", self.admin)]:
            config = config.replace(word, address)
        self.config.write_text(config)

    def run(self, *arguments):
        """Runs a command to its end, and gives what it printed."""
        done = subprocess.run(
            [PATH, *arguments],
            cwd=self.directory,
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
        if done.returncode != 0:
            raise AssertionError(f"countersign {' '.join(arguments)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def sign(self, message, *arguments):
        """`countersign sign` on a raw message; the signed one."""
        command = [PATH, "sign", *arguments]
        done = subprocess.run(
            command, cwd=self.directory, env=ENVIRONMENT, input=message, capture_output=True, timeout=60
        )
        if done.returncode != 0:
            raise AssertionError(f"countersign sign {' '.join(arguments)}: exit {done.returncode}\n{done.stderr}")
        return done.stdout

    def on_registry(self, *arguments):
        return self.run(*arguments, "--config", str(self.config))

    def generate(self, algorithm, name):
        """`countersign key generate`; the path of the private half."""
        path = self.directory / name
        # Signatures of 256 bytes: their base64 is padded, which leaves two ways to write it.
        bits = ["--bits", "2048"] if algorithm.startswith("rsa") else []
        self.run("key", "generate", "--algorithm", algorithm, *bits, "--out", str(path))
        mode = path.stat().st_mode & 0o777
        assert mode == 0o600, f"{path} is readable by others: {mode:o}"
        return path

    def add_key(self, partner, identifier, scheme, algorithm, path, *options):
        material = ["--secret-file", str(path)] if algorithm == "hmac-sha256" else ["--public-key", f"{path}.pub"]
        names = ["--partner", partner, "--id", identifier, "--scheme", scheme, "--algorithm", algorithm]
        self.on_registry("key", "add", *names, *material, *options)

    def start(self):
        self.log = open(self.directory / "gateway.log", "w+b")
        self.gateway = subprocess.Popen(
            [PATH, "gateway", "--config", str(self.config)],
            cwd=self.directory,
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )
        deadline = time.monotonic() + 30
        while not self.ready():
            if self.gateway.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the gateway is not ready:\n{self.printed()}")
            time.sleep(0.05)

    def ready(self):
        try:
            with urllib.request.urlopen(f"http://{self.admin}/readyz", timeout=5) as answer:
                return json.load(answer) is not None
        except OSError:
            return False

    def printed(self):
        self.log.flush()
        return (self.directory / "gateway.log").read_text(errors="replace")[-4000:]

    def stop(self):
        """Ends the gateway as an operator would; it has to end by itself, whatever is under way."""
        try:
            if self.gateway is not None and self.gateway.poll() is None:
                self.gateway.send_signal(signal.SIGTERM)
                self.gateway.wait(timeout=60)
            return None if self.gateway is None else self.gateway.returncode
        finally:
            if self.gateway is not None:
                self.gateway.kill()
                self.log.close()
            self.upstream.stop()
            shutil.rmtree(self.directory)


def free_address():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return "{}:{}".format(*listener.getsockname())

"""A client as one would write it: `httpx`, its requests signed by somebody else's library in an `httpx.Auth`."""

import asyncio
import json
import secrets

import http_message_signatures as hms
import httpx

from case import TABLE
from third_party import SCHEME, ThirdParty

ROW = "httpx"


class Signed(httpx.Auth):
    """Signs every request that a client sends, as often as it sends it."""

    requires_request_body = True

    def __init__(self, key_id, keys):
        self.key_id = key_id
        self.signer = hms.HTTPMessageSigner(signature_algorithm=hms.algorithms.ED25519, key_resolver=keys)

    def auth_flow(self, request):
        self.signer.sign(
            Adapted(request),
            key_id=self.key_id,
            nonce=secrets.token_urlsafe(16),
            covered_component_ids=("@method", "@authority", "@path", "@query", "content-type"),
            body=request.content,
        )
        yield request


class Adapted:
    def __init__(self, request):
        self.method, self.url, self.headers = request.method, str(request.url), request.headers


class Client(ThirdParty):
    def url(self, target):
        return f"http://{self.countersign.listen}{target}"

    def auth(self):
        return Signed("acme-ed25519", self.keys)

    def accepted(self, answer):
        self.assertEqual((answer.status_code, answer.text), (200, "ok\n"), answer.text)
        TABLE[ROW]["passed"] += 1
        return self.countersign.upstream.seen[-1]

    def test_a_client_that_keeps_its_connection(self):
        with httpx.Client(auth=self.auth()) as client:
            for number in range(20):
                received = self.accepted(client.post(self.url(f"/orders?n={number}"), json={"number": number}))
                self.assertEqual(json.loads(received.body), {"number": number})
                self.assertEqual(received.all("countersign-key"), ["acme-ed25519"])
                self.assertEqual(received.all("countersign-scheme"), [SCHEME])

    def test_a_body_that_comes_in_chunks(self):
        def parts():
            for number in range(50):
                yield f"{number:0100}".encode()

        with httpx.Client(auth=self.auth()) as client:
            headers = {"content-type": "application/octet-stream"}
            received = self.accepted(client.post(self.url("/orders"), content=parts(), headers=headers))
            self.assertEqual(received.body, b"".join(parts()))

    def test_many_at_once(self):
        async def all_at_once():
            async with httpx.AsyncClient(auth=self.auth(), timeout=30) as client:
                calls = (client.put(self.url(f"/orders/{n}"), json={"n": n}) for n in range(100))
                return await asyncio.gather(*calls)

        for answer in asyncio.run(all_at_once()):
            self.accepted(answer)

    def test_of_the_same_request_a_hundred_times_at_once_one_passes(self):
        request = httpx.Request("POST", self.url("/orders"), json={"n": 1})
        [request] = list(self.auth().auth_flow(request))

        async def all_at_once():
            async with httpx.AsyncClient(timeout=30) as client:
                same = {"url": request.url, "headers": request.headers, "content": request.content}
                return await asyncio.gather(*(client.send(httpx.Request("POST", **same)) for _ in range(100)))

        before = len(self.countersign.upstream.seen)
        answers = asyncio.run(all_at_once())
        self.assertEqual(sorted(answer.status_code for answer in answers), [200] + [401] * 99)
        self.assertEqual({answer.json()["code"] for answer in answers if answer.status_code == 401}, {"replayed"})
        self.assertEqual(len(self.countersign.upstream.seen), before + 1)
        TABLE[ROW]["passed"] += 1
        TABLE[ROW]["replayed"] += 99

    def test_a_client_that_does_not_sign(self):
        answer = httpx.post(self.url("/orders"), json={"n": 1})
        self.assertEqual((answer.status_code, answer.json()["code"]), (401, "unsigned"))
        self.assertIn("accept-signature", answer.headers)
        self.assertEqual(answer.headers["content-type"], "application/problem+json")
        TABLE[ROW]["refused"] += 1

import hashlib

from make_folder import NOW, b64


def http_messages(folder, make):
    """The same signatures in other messages than a request of HTTP/1.1 with a length: HTTP/2, chunks and trailers, responses.
    `make` gives a fresh request of RFC 9421."""
    case = folder.case

    # HTTP/2, its pseudo-header fields in front, one a line.
    def http2(request, change=lambda fields: fields, scheme="https"):
        fields = [(":method", request.method), (":scheme", scheme), (":authority", request.host), (":path", request.target)]
        fields += [(name.lower(), value) for name, value in request.headers + request.signed()]
        return "".join(f"{name}: {value}\r\n" for name, value in change(fields)) + "\r\n" + request.body

    def put(name, value):
        return lambda fields: [(field, value if field == name else other) for field, other in fields]

    case("accepted-http2", "accepted", http2(make()))
    case("accepted-http2-get", "accepted", http2(make().get("/orders")))
    case("accepted-http2-empty-query", "accepted", http2(make().get("/orders?").set(cover=['"@method"', '"@authority"', '"@request-target"'])))
    uri = ['"@method"', '"@target-uri"', '"@scheme"', '"content-digest"']
    case("accepted-http2-target-uri", "accepted", http2(make().set(cover=uri)))
    case("accepted-http2-default-port", "accepted", http2(make(), put(":authority", "API.example.com:443")))
    case("replayed-over-http2", "replayed", http2(make()), after="accepted-ed25519")
    for name, value in [("method", "PUT"), ("authority", "evil.example.com"), ("path", "/orders?a=c")]:
        case(f"changed-http2-{name}", "bad_signature", http2(make(), put(f":{name}", value)))
    case("changed-http2-scheme", "bad_signature", http2(make().set(cover=uri), scheme="http"))
    for name, change in {
        "pseudo-field-twice": lambda fields: fields[:1] + fields,
        "pseudo-field-behind-others": lambda fields: fields[1:] + fields[:1],
        "pseudo-field-unknown": lambda fields: [*fields[:4], (":protocol", "websocket"), *fields[4:]],
        "without-method": lambda fields: fields[1:],
        "without-scheme": lambda fields: fields[:1] + fields[2:],
        "without-authority": lambda fields: fields[:2] + fields[3:],
        "without-path": lambda fields: fields[:3] + fields[4:],
        "absolute-path": put(":path", "https://api.example.com/orders?a=b"),
        "connection-field": lambda fields: [*fields, ("connection", "close")],
        "field-name-in-capitals": lambda fields: [*fields, ("X-Note", "1")],
    }.items():
        case(f"malformed-http2-{name}", "malformed", http2(make(), change))

    # Chunks, and what stands behind them.
    def chunked(request, trailers=(), head=()):
        length = f"Content-Length: {len(request.body)}\r\n"
        start, body = request.text().split("\r\n\r\n", 1)
        start = (start + "\r\n").replace(length, "") + "".join(f"{name}: {value}\r\n" for name, value in head)
        sizes = [body[at:at + 5] for at in range(0, len(body), 5)]
        chunks = "".join(f"{len(part):x}\r\n{part}\r\n" for part in sizes)
        behind = "".join(f"{name}: {value}\r\n" for name, value in trailers)
        return f"{start}Transfer-Encoding: chunked\r\n\r\n{chunks}0\r\n{behind}\r\n"

    case("accepted-chunked", "accepted", chunked(make()))
    case("changed-chunked-body", "digest_mismatch", chunked(make()).replace("12}", "13}"))
    signed = make().set(cover=make().cover + ['"checksum";tr'], values={'"checksum";tr': "a1b2"})
    case("accepted-trailer", "accepted", chunked(signed, [("Checksum", "a1b2")]))
    case("accepted-trailer-that-is-not-covered", "accepted", chunked(make(), [("Checksum", "a1b2")]))
    case("changed-trailer", "bad_signature", chunked(signed, [("Checksum", "a1b3")]))
    case("changed-trailer-twice", "bad_signature", chunked(signed, [("Checksum", "a1b2"), ("Checksum", "a1b2")]))
    case("malformed-trailer-absent", "malformed", chunked(signed))
    case("malformed-trailer-in-the-head", "malformed", chunked(signed, head=[("Checksum", "a1b2")]))
    plain = make().set(cover=make().cover + ['"checksum"'], values={'"checksum"': "a1b2"})
    case("malformed-field-in-the-trailers", "malformed", chunked(plain, [("Checksum", "a1b2")]))
    digest = make().set(cover=make().cover[:5] + ['"content-digest";tr'], headers=[("Content-Type", "application/json")], values={'"content-digest";tr': make().headers[1][1]})
    case("coverage-content-digest-in-the-trailers", "coverage_too_small", chunked(digest, [make().headers[1]]))

    # Responses, bound to the request that they answer.
    body = '{"id": 7}'
    full = ['"@status"', '"content-type"', '"content-digest"', '"@method";req', '"@authority";req', '"@path";req', '"@query";req', '"content-digest";req', '"signature";req;key="sig1"']
    demand = "@status content-digest @method;req @authority;req @path;req @query;req content-digest;req signature;req"

    def response(request, cover=tuple(full), status="201 Created", body=body, sent=None, values=None):
        digest = f"sha-256=:{b64(hashlib.sha256(body.encode()).digest())}:"
        known = {'"@status"': status[:3], '"content-type"': "application/json", '"content-digest"': digest, '"content-digest";req': request.headers[1][1] if request.headers else "",
                 '"signature";req;key="sig1"': f":{b64(request.signature())}:", **(values or {})}
        known.update({f"{name};req": request.value(name) for name in ['"@method"', '"@authority"', '"@path"', '"@query"']})
        params = f'({" ".join(cover)});created={NOW};keyid="ed25519";nonce="r-1"'
        base = "".join(f"{name}: {known[name]}\n" for name in cover) + f'"@signature-params": {params}'
        signature = b64(folder.sign("ed25519", base))
        head = f"HTTP/1.1 {sent or status}\r\nContent-Type: application/json\r\nContent-Digest: {digest}\r\nSignature-Input: sig1={params}\r\nSignature: sig1=:{signature}:\r\n"
        return f"{head}Content-Length: {len(body)}\r\n\r\n{body}"

    def answer(name, expect, text, answers="accepted-ed25519", **header):
        how = {"answers": answers} if answers else {}
        case(name, expect, text, **how, **{"require": demand, **header})

    answer("accepted-response", "accepted", response(make()))
    answer("changed-response-status", "bad_signature", response(make(), sent="200 OK"))
    answer("changed-response-body", "digest_mismatch", response(make()).replace("7}", "8}"))
    answer("changed-response-of-another-request", "bad_signature", response(make()), answers="accepted-ed25519-alg")
    answer("changed-response-of-a-request-signed-by-another", "bad_signature", response(make()), answers="accepted-same-nonce-of-another-partner")
    answer("malformed-response-without-its-request", "malformed", response(make()), answers=None)
    for left_out in ['"@status"', '"content-digest"', '"@path";req', '"content-digest";req', '"signature";req;key="sig1"']:
        name = left_out.replace('"', "").replace(";key=sig1", "").replace(";", "-").strip("@")
        answer(f"coverage-response-without-{name}", "coverage_too_small", response(make(), [one for one in full if one != left_out]))
    answer("malformed-response-with-a-method-of-its-own", "malformed", response(make(), [*full, '"@method"'], values={'"@method"': "POST"}))
    answer("malformed-response-status-of-the-request", "malformed", response(make(), [*full, '"@status";req'], values={'"@status";req': "201"}))
    answer("too-old-response", "too_old", response(make()), now=NOW + 301)

"""Everything that can be changed of a signed request on its way, by name. Each change is one that has to be noticed."""

import base64
import hashlib
import re

from wire import b64, flip


def header(name, pattern, by):
    """Changes what `pattern` finds in a header."""
    return lambda request: request.replace(name, pattern, by)


def input_(pattern, by):
    return header("Signature-Input", pattern, by)


def attribute(name, value):
    return lambda request: setattr(request, name, value)


def body(change):
    def on(request):
        request.body = change(request.body)

    return on


def with_digest(change):
    """The body, and with it the digest, which is therefore right: only the signature tells."""

    def on(request):
        request.body = change(request.body)
        request.set("Content-Digest", digest(request.body))

    return on


def digest(body):
    return f"sha-256=:{b64(hashlib.sha256(body).digest())}:"


def signature(change):
    """The bytes of the signature."""

    def on(request):
        label, value = request.get("Signature").split("=", 1)
        request.set("Signature", f"{label}=:{b64(change(base64.b64decode(value.strip(':'))))}:")

    return on


def swapped(pattern):
    """Two neighbours, the groups of `pattern`, change places in Signature-Input."""
    return input_(pattern, r"\2\1")


def twice(name):
    return lambda request: request.add(name, request.get(name))


def moved(name, other):
    def on(request):
        value = request.get(name)
        request.remove(name)
        request.add(other, value)

    return on


def both(*changes):
    return lambda request: [change(request) for change in changes]


def loose_base64(request):
    """Base64 that says the same in a second spelling."""
    value = request.get("Signature")
    padded = re.search("(.)(=+):$", value)
    if padded is None:
        request.set("Signature", value[:-1] + "====:")
        return
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    # The last character carries bits that belong to no byte.
    again = alphabet[alphabet.index(padded[1]) ^ 1]
    request.set("Signature", value[: padded.start()] + again + padded[2] + ":")


TARGET = {
    "method PUT": attribute("method", "PUT"),
    "method GET": attribute("method", "GET"),
    "method in lower case": attribute("method", "post"),
    "a slash more": attribute("target", "/orders/?item=1&count=2"),
    "a segment more": attribute("target", "/orders/1?item=1&count=2"),
    "another route": attribute("target", "/accounts?item=1&count=2"),
    "a doubled slash": attribute("target", "//orders?item=1&count=2"),
    "a dot segment": attribute("target", "/accounts/../orders?item=1&count=2"),
    "an escaped slash": attribute("target", "/orders%2F?item=1&count=2"),
    "another host in the target": attribute("target", "http://api.example.org/orders?item=1&count=2"),
    "query value": attribute("target", "/orders?item=1&count=3"),
    "query parameter more": attribute("target", "/orders?item=1&count=2&count=2"),
    "query parameter less": attribute("target", "/orders?item=1"),
    "query in another order": attribute("target", "/orders?count=2&item=1"),
    "query escaped": attribute("target", "/orders?item=%31&count=2"),
    "query empty": attribute("target", "/orders?"),
    "no query": attribute("target", "/orders"),
    "another host": lambda request: request.set("Host", "api.example.org"),
    "another port": lambda request: request.replace("Host", "$", "0"),
    "no host": lambda request: request.remove("Host"),
    "two hosts": twice("Host"),
}

BODY = {
    "body, one bit": body(lambda body: flip(body, 2)),
    "body longer": body(lambda body: body + b" "),
    "body shorter": body(lambda body: body[:-1]),
    "no body": body(lambda body: b""),
    "body and digest, one bit": with_digest(lambda body: flip(body, 2)),
    "body and digest empty": with_digest(lambda body: b""),
    "digest of another body": lambda request: request.set("Content-Digest", digest(request.body + b" ")),
    "digest, one bit": header("Content-Digest", "=:(.)", lambda found: "=:B" if found[1] == "A" else "=:A"),
    "no digest": lambda request: request.remove("Content-Digest"),
    "digest twice": twice("Content-Digest"),
    "digest under another name": moved("Content-Digest", "Repr-Digest"),
    "a digest more": header("Content-Digest", "$", f", sha-512=:{b64(bytes(64))}:"),
    "digest of a broken kind": header("Content-Digest", "sha-256", "md5"),
}

FIELDS = {
    "content type": header("Content-Type", "json", "xml"),
    "content type in another case": header("Content-Type", "json", "JSON"),
    "content type with a parameter": header("Content-Type", "$", "; charset=latin-1"),
    "no content type": lambda request: request.remove("Content-Type"),
    "content type twice": twice("Content-Type"),
    "a covered field": header("X-Purpose", "test", "live"),
    "a covered field empty": lambda request: request.set("X-Purpose", ""),
    "a covered field gone": lambda request: request.remove("X-Purpose"),
    "a covered field twice": twice("X-Purpose"),
    "a covered field under another name": moved("X-Purpose", "X_Purpose"),
}

PARAMETERS = {
    "created later": input_(r"created=(\d+)", lambda found: f"created={int(found[1]) + 1}"),
    "created earlier": input_(r"created=(\d+)", lambda found: f"created={int(found[1]) - 1}"),
    "created a decimal": input_(r"created=(\d+)", r"created=\1.0"),
    "created a string": input_(r"created=(\d+)", r'created="\1"'),
    "created negative": input_(r"created=(\d+)", r"created=-\1"),
    "created twice": input_(r"(;created=\d+)", r"\1\1"),
    "no created": input_(r";created=\d+", ""),
    "unknown key": input_(r'keyid="[^"]+"', 'keyid="nobody"'),
    "key of another partner": input_(r'keyid="[^"]+"', 'keyid="globex-ed25519"'),
    "key in another case": input_(r'keyid="acme', 'keyid="Acme'),
    "key a token": input_(r'keyid="([^"]+)"', r"keyid=\1"),
    "no key": input_(r';keyid="[^"]+"', ""),
    "another algorithm": input_(r'alg="(.)[^"]+"', lambda found: f'alg="{"ed25519" if found[1] == "h" else "hmac-sha256"}"'),
    "algorithm none": input_(r'alg="[^"]+"', 'alg="none"'),
    "no algorithm": input_(r';alg="[^"]+"', ""),
    "another nonce": input_(r'nonce="', 'nonce="0'),
    "nonce empty": input_(r'nonce="[^"]+"', 'nonce=""'),
    "no nonce": input_(r';nonce="[^"]+"', ""),
    "a tag": input_("$", ';tag="other"'),
    "an expiry": input_("$", ";expires=9999999999"),
    "an unknown parameter": input_("$", ";unknown"),
    "parameters in another order": swapped(r'(;created=\d+)(;keyid="[^"]+")'),
}

COVERAGE = {
    "method not covered": input_(r'"@method" ', ""),
    "authority not covered": input_(r'"@authority" ', ""),
    "path not covered": input_(r'"@path" ', ""),
    "query not covered": input_(r'"@query" ', ""),
    "content type not covered": input_(r'"content-type" ', ""),
    "a field not covered": input_(r'"x-purpose" ', ""),
    "digest not covered": input_(r' "content-digest"', ""),
    "nothing covered": input_(r"\(.*\)", "()"),
    "a component more": input_(r"\)", r' "@scheme")'),
    "an absent field more": input_(r"\)", r' "x-absent")'),
    "an unknown component more": input_(r"\)", r' "@nothing")'),
    "a component twice": input_(r'"@path"', '"@path" "@path"'),
    "components in another order": swapped(r'("@method" )("@authority" )'),
    "a component with a parameter": input_(r'"content-type"', '"content-type";bs'),
    "a component of the request of a response": input_(r'"@path"', '"@path";req'),
}

SIGNATURE = {
    "signature, first bit": signature(lambda raw: flip(raw, 0)),
    "signature, a bit inside": signature(lambda raw: flip(raw, len(raw) // 2)),
    "signature, last bit": signature(lambda raw: flip(raw, -1)),
    "signature shorter": signature(lambda raw: raw[:-1]),
    "signature longer": signature(lambda raw: raw + b"\0"),
    "signature led by zero": signature(lambda raw: b"\0" + raw),
    "signature of zeros": signature(lambda raw: bytes(len(raw))),
    "signature of ones": signature(lambda raw: b"\xff" * len(raw)),
    "signature empty": signature(lambda raw: b""),
    "signature in loose base64": loose_base64,
    "signature a string": header("Signature", "=:(.*):$", r'="\1"'),
    "no signature": lambda request: request.remove("Signature"),
    "signature twice": twice("Signature"),
    "no input": lambda request: request.remove("Signature-Input"),
    "input twice": twice("Signature-Input"),
    "input torn": input_(r"\(.*$", "("),
    "label of the input": input_("^pyhms=", "other="),
    "label of the signature": header("Signature", "^pyhms=", "other="),
    "label in upper case": both(header("Signature", "^pyhms=", "PYHMS="), input_("^pyhms=", "PYHMS=")),
    "a second signature of the same key": lambda request: [
        request.replace(name, "^pyhms=(.*)$", r"pyhms=\1, other=\1") for name in ("Signature", "Signature-Input")
    ],
    "the mark of another scheme": lambda request: request.add("Authorization", "PKI AAAA"),
    "two lengths": lambda request: [request.add("Content-Length", str(len(request.body) - at)) for at in (0, 1)],
    "a length and chunks": lambda request: [
        request.add("Content-Length", str(len(request.body))),
        request.add("Transfer-Encoding", "chunked"),
    ],
}

CHANGES = {**TARGET, **BODY, **FIELDS, **PARAMETERS, **COVERAGE, **SIGNATURE}

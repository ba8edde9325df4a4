import base64
import hashlib
import json

from make_folder import NOW, Folder, b64, sign

BODY = '{"amount": 12}'
NONCE = {"hex8": "a1b2c3d4", "hex32": "00112233445566778899aabbccddeeff", "uuid": "00112233-4455-6677-8899-aabbccddeeff"}


def app_hmac():
    states = [(state, {"state": state}) for state in ["pending", "retiring", "retired", "revoked", "suspended"]]
    double = b64(hashlib.sha256(b"app-hmac double").digest())
    twin = b64(hashlib.sha256(b"app-hmac twin").digest())
    keys = [("app", {}), ("millis", {"timestamp_unit": "milliseconds"}), ("hex32", {"nonce_form": "hex32"}), ("uuid", {"nonce_form": "uuid"}),
            ("body", {"layout": "payload-first"}), ("body-millis-uuid", {"layout": "payload-first", "timestamp_unit": "milliseconds", "nonce_form": "uuid"}),
            *states, ("bolt", {"partner": "bolt"}), ("ended", {"not_after": NOW}), ("begins", {"not_before": NOW + 1}), ("ends", {"not_after": NOW + 1_000_000}),
            ("sender", {"scheme": "http-message-signatures"}), ("two-1", {"id": "two", "version": 1}), ("two-2", {"id": "two", "version": 2, "timestamp_unit": "milliseconds", "layout": "payload-first"}),
            ("twin-1", {"id": "twin", "version": 1, "secret": twin}), ("twin-2", {"id": "twin", "version": 2, "secret": twin, "layout": "payload-first"}),
            ("double", {"secret": double}), ("double-of-bodies", {"secret": double, "layout": "payload-first", "partner": "bolt"})]
    keys = [(name, "hmac-sha256", more) for name, more in keys]
    folder = Folder("app-hmac", "app-hmac", keys)
    forms = {name: more for name, _, more in keys}
    case = folder.case

    class App:
        """One request: what is signed follows what is sent, unless a case says otherwise."""

        def __init__(self, key="app", **changed):
            form = forms[key]
            self.key, self.app_id, self.layout = key, form.get("id", key), form.get("layout", "method-first")
            self.method, self.target, self.body, self.content_type = "POST", "/orders?a=b", BODY, "application/json"
            if self.layout == "payload-first":
                self.target = "/orders"
            self.stamp = str(NOW * 1000 + 123 if form.get("timestamp_unit") == "milliseconds" else NOW)
            self.nonce = NONCE[form.get("nonce_form", "hex8")]
            self.signed, self.signature = None, None
            self.__dict__.update(changed)

        def base(self):
            if self.signed is not None:
                return self.signed
            if self.layout == "payload-first":
                return self.body + self.nonce + self.stamp
            return self.method + self.target + self.stamp + self.nonce + self.body

        def mac(self):
            return folder.sign(self.key, self.base()).hex()

        def fields(self):
            return [("AppId", self.app_id), ("Timestamp", self.stamp), ("Nonce", self.nonce), ("Signature", self.mac() if self.signature is None else self.signature)]

        def text(self, fields=None, more=()):
            fields = self.fields() if fields is None else fields
            headers = [("Host", "api.example.com"), *([("Content-Type", self.content_type)] if self.body else []), *fields, *more]
            if self.body:
                headers.append(("Content-Length", len(self.body.encode())))
            head = "".join(f"{name}: {value}\r\n" for name, value in headers)
            return f"{self.method} {self.target} HTTP/1.1\r\n{head}\r\n{self.body}"

    def form(body, **changed):
        """A form body, which begins with characters that may stand in a target."""
        return App(content_type="application/x-www-form-urlencoded", body=body, target="/orders", **changed)

    # What passes.
    for key in ["app", "millis", "hex32", "uuid", "body", "body-millis-uuid", "retiring"]:
        case(f"accepted-{key}", "accepted", App(key).text())
    case("accepted-version-1", "accepted", App("two-1").text())
    case("accepted-version-2-of-another-form", "accepted", App("two-2").text())
    case("accepted-get", "accepted", App(method="GET", target="/orders", body="").text())
    case("accepted-empty-query", "accepted", App(method="GET", target="/orders?", body="").text())
    case("accepted-repeated-query", "accepted", App(target="/orders?a=1&a=2&b").text())
    case("accepted-form-body", "accepted", form("amount=1&note=none").text())
    case("accepted-body-beyond-ascii", "accepted", App(body='{"note": "Gr\u00fc\u00dfe \U0001f600"}').text())
    case("accepted-oldest", "accepted", App().text(), now=NOW + 300)
    case("accepted-newest", "accepted", App().text(), now=NOW - 300)
    case("accepted-other-path-where-unsigned", "accepted", App("body", target="/other?a=b", method="PUT").text(), path="/orders", unsigned_target="true")

    # Form.
    for name in ["Timestamp", "Nonce", "Signature"]:
        case(f"malformed-without-{name.lower()}", "malformed", App().text([field for field in App().fields() if field[0] != name]))
    for number, name in enumerate(["AppId", "Timestamp", "Nonce", "Signature"]):
        case(f"malformed-{name.lower()}-twice", "malformed", App().text([*App().fields(), App().fields()[number]]))

    def wrong(name, **changed):
        case(f"malformed-{name}", "malformed", App(**changed).text())

    for name, value in [("empty", ""), ("with-slash", "a/app"), ("that-climbs", "../app"), ("with-percent", "app%00"), ("with-blank", "a pp"), ("long", "a" * 65), ("beyond-ascii", "\u0430pp")]:
        wrong(f"appid-{name}", app_id=value)
    for name, value in [("nine-digits", "179500000"), ("eleven-digits", "17950000000"), ("leading-zero", "0795000000"), ("negative", "-179500000"), ("signed", "+179500000"), ("fractional", "1795000.00"),
                        ("with-exponent", "1.795000e9"), ("with-blank", "17950 0000"), ("beyond-2-to-the-53", "9007199254740993"), ("hexadecimal", "0x6afd6ac0"), ("rfc3339", "2026-11-18T11:06:40Z"), ("empty", ""),
                        ("in-other-digits", "\u0661\u0667\u0669\u0665\u0660\u0660\u0660\u0660\u0660\u0660")]:
        wrong(f"timestamp-{name}", stamp=value)
    for name, value in [("empty", ""), ("seven-digits", "a1b2c3d"), ("nine-digits", "a1b2c3d4e"), ("in-capitals", "A1B2C3D4"), ("not-hexadecimal", "g1b2c3d4"), ("of-100-kilobytes", "a" * 100_000),
                        ("uuid-in-capitals", NONCE["uuid"].upper()), ("uuid-in-braces", "{" + NONCE["uuid"] + "}"), ("uuid-shifted", "001122334-455-6677-8899-aabbccddeeff")]:
        wrong(f"nonce-{name}", nonce=value)
    mac = App().mac()
    for name, value in [("empty", ""), ("in-capitals", mac.upper()), ("in-one-capital", mac.replace("a", "A", 1)), ("short", mac[:-2]), ("odd", mac[:-1]), ("long", mac + "00"), ("with-prefix", f"0x{mac}"), ("base64", b64(bytes.fromhex(mac)))]:
        wrong(f"signature-{name}", signature=value)
    for name, target in [("double-slash", "//orders"), ("dot-segment", "/a/../orders"), ("escaped-slash", "/a%2Forders"), ("fragment", "/orders#a"), ("bad-escape", "/orders%zz")]:
        wrong(f"target-{name}", target=target)

    # Is there a signature, and whose scheme is it?
    case("unsigned", "unsigned", App().text([]))
    case("unsigned-without-appid", "unsigned", App().text(App().fields()[1:]))
    case("unsigned-no-body-under-a-key-of-bodies", "unsigned", App("body", body="").text())
    case("scheme-not-allowed", "scheme_not_allowed", App().text(), scheme="pki")
    case("ambiguous-two-schemes", "ambiguous", App().text(more=[("Authorization", "PKI AAAA")]))
    case("ambiguous-with-a-signature-input", "ambiguous", App().text(more=[("Signature-Input", 'sig1=("@method")')]))
    case("body-too-large", "body_too_large", App().text(), max_body=len(BODY) - 1)

    # Nothing stands between the parts: one MAC, two requests.
    later = str(NOW + 100)
    honest = App(method="DELETE", target=f"/orders/{later}a1b2c3d4/lines", body="", nonce="0f0f0f0f")
    case("accepted-id-of-digits-and-hex-in-the-path", "accepted", honest.text())
    moved = App(method="DELETE", target="/orders/", body=f"/lines{NOW}0f0f0f0f", stamp=later, nonce="a1b2c3d4")
    assert moved.base() == honest.base()
    case("ambiguous-id-in-the-path-read-as-stamp-and-nonce", "ambiguous", moved.text())
    case("ambiguous-the-same-kept-until-its-time", "ambiguous", moved.text(), now=NOW + 100 + 300)
    early = App(method="DELETE", target=f"/orders/{NOW}a1b2c3d4/x", body="", stamp=str(NOW - 30 * 86_400), nonce="0f0f0f0f")
    kept = App(method="DELETE", target="/orders/", body=f"/x{NOW - 30 * 86_400}0f0f0f0f", nonce="a1b2c3d4")
    assert early.base() == kept.base()
    case("ambiguous-signed-a-month-before-the-stamp-in-its-path", "ambiguous", kept.text())
    case("ambiguous-text-that-a-user-chose", "ambiguous", form(f"note={later}ffffffff&amount=1").text())
    one, other = form("4&b", nonce="1a1b2c3d"), App(body="&b", target="/orders1", stamp="7950000001", nonce="a1b2c3d4")
    assert one.base() == other.base()
    case("ambiguous-nonce-that-continues-the-stamp", "ambiguous", one.text())
    case("ambiguous-uuid", "ambiguous", App("uuid", content_type="text/plain", body=f"x{later}{NONCE['uuid']}").text())
    case("ambiguous-milliseconds", "ambiguous", App("millis", content_type="text/plain", body=f"x{later}123ffffffff").text())
    case("accepted-stamp-from-before-any-key", "accepted", form("note=1234567890ffffffff").text())
    case("accepted-stamp-without-a-nonce", "accepted", form(f"note={later}fffffffg").text())
    case("accepted-stamp-out-of-reach-of-a-target", "accepted", App(body=f'{{"note": "{later}ffffffff"}}').text())
    case("ambiguous-stamp-within-the-life-of-the-key", "ambiguous", form(f"note={NOW + 1_086_400}ffffffff", key="ends").text())
    case("accepted-stamp-beyond-the-life-of-the-key", "accepted", form(f"note={NOW + 1_086_401}ffffffff", key="ends").text())
    case("accepted-the-same-text-in-the-layout-payload-first", "accepted", form(f"note={later}ffffffff&amount=1", key="body").text())
    for name, target in [("brackets", "/orders?a=[b]"), ("quotes", '/orders?a="b"'), ("braces", "/orders?a={b}"), ("absolute", "https://api.example.com/orders")]:
        case(f"ambiguous-target-{name}", "ambiguous", App(target=target).text())
    case("ambiguous-target-asterisk", "ambiguous", App(method="OPTIONS", target="*", body="").text())
    case("ambiguity-is-told-to-whoever-has-the-secret", "bad_signature", form(f"note={later}ffffffff", signature="0" * 64).text())

    # A key that signs bodies only is taken at one place only.
    for name, target in [("query", "/orders?a=b"), ("empty-query", "/orders?"), ("deeper-path", "/orders/1"), ("trailing-slash", "/orders/")]:
        case(f"coverage-{name}", "coverage_too_small", App("body", target=target).text(), path="/orders")
    case("coverage-put", "coverage_too_small", App("body", method="PUT").text())

    # Time.
    case("too-old", "too_old", App().text(), now=NOW + 301)
    case("too-old-by-a-millisecond", "too_old", App("millis", stamp=f"{NOW * 1000 - 1}").text(), now=NOW + 300)
    case("not-yet-valid", "not_yet_valid", App().text(), now=NOW - 301)
    case("not-yet-valid-by-a-millisecond", "not_yet_valid", App("millis", stamp=f"{NOW * 1000 + 1}").text(), now=NOW - 300)
    case("too-old-whatever-other-headers-say", "too_old", App().text(more=[("Date", "Wed, 18 Nov 2026 11:11:41 GMT"), ("X-Date", NOW + 301), ("X-Timestamp", NOW + 301)]), now=NOW + 301)

    # Keys and their forms.
    for name, app in [("", "nobody"), ("-other-case", "App"), ("-of-dots", "..")]:
        case(f"unknown-signer{name}", "unknown_signer", App(app_id=app).text())
    case("unknown-signer-whose-key-is-for-another-scheme", "unknown_signer", App("sender").text())
    case("unknown-signer-comes-before-age", "unknown_signer", App(app_id="nobody").text(), now=NOW + 999)
    for key in ["pending", "retired", "revoked", "suspended", "ended", "begins"]:
        case(f"key-{key}", "key_not_usable", App(key).text())
    case("form-milliseconds-under-a-key-of-seconds", "algorithm_mismatch", App(stamp=f"{NOW}000").text())
    case("form-seconds-under-a-key-of-milliseconds", "algorithm_mismatch", App("millis", stamp=str(NOW)).text())
    for key, nonce in [("app", "hex32"), ("app", "uuid"), ("hex32", "hex8"), ("uuid", "hex32")]:
        case(f"form-nonce-{nonce}-under-the-key-{key}", "algorithm_mismatch", App(key, nonce=NONCE[nonce]).text())
    case("form-one-secret-under-two-layouts", "algorithm_mismatch", App("twin-1").text())
    case("form-one-secret-under-two-layouts-the-other-way", "algorithm_mismatch", App("twin-2").text())
    case("form-one-secret-under-two-layouts-and-two-ids", "algorithm_mismatch", App("double").text())
    case("form-one-secret-under-two-layouts-and-two-ids-the-other-way", "algorithm_mismatch", App("double-of-bodies").text())
    case("partner-not-allowed", "partner_not_allowed", App().text(), partners="bolt")

    # Anything changed.
    good = App()

    def changed(name, key="app", **what):
        case(f"changed-{name}", "bad_signature", App(key, signed=App(key).base(), **what).text())

    changed("method", method="PUT")
    changed("method-to-lower-case", method="post")
    changed("path", target="/order?a=b")
    changed("query", target="/orders?a=c")
    changed("query-dropped", target="/orders")
    changed("query-escape", target="/orders?a=%62")
    changed("timestamp", stamp=str(NOW + 1))
    changed("nonce", nonce="a1b2c3d5")
    changed("body", body=BODY.replace("12", "13"))
    changed("body-by-a-blank", body=BODY + " ")
    changed("body-dropped", body="")
    changed("signature", signature="0" * 64)
    changed("body-under-a-key-of-bodies", key="body", body=BODY.replace("12", "13"))
    changed("nonce-under-a-key-of-bodies", key="body", nonce="a1b2c3d5")
    case("changed-empty-query", "bad_signature", App(method="GET", target="/orders", body="", signed=App(method="GET", target="/orders?", body="").base()).text())
    case("changed-layout", "bad_signature", App("app", target="/orders", signed=BODY + NONCE["hex8"] + str(NOW)).text())
    case("changed-layout-the-other-way", "bad_signature", App("body", signed=f"POST/orders{NOW}{NONCE['hex8']}{BODY}").text())
    case("changed-app", "bad_signature", App(app_id="bolt").text())
    case("changed-secret-to-its-base64", "bad_signature", App(signature=sign("hmac-sha256", base64.b64encode(folder.keys["app"]), good.base().encode()).hex()).text())
    case("changed-to-a-keyless-hash", "bad_signature", App(signature=hashlib.sha256(folder.keys["app"] + good.base().encode()).hexdigest()).text())

    # Replay.
    case("replayed", "replayed", good.text(), after="accepted-app")
    case("replayed-with-other-headers", "replayed", good.text(more=[("X-Retry", "1")]), after="accepted-app")
    case("replayed-under-another-host", "replayed", good.text().replace("api.example.com", "other.example.com"), after="accepted-app")
    case("accepted-another-nonce", "accepted", App(nonce="a1b2c3d5").text(), after="accepted-app")
    case("accepted-same-nonce-for-another-body", "accepted", App(body=json.dumps({"amount": 13})).text(), after="accepted-app")
    case("accepted-same-nonce-of-another-partner", "accepted", App("bolt").text(), after="accepted-app")
    case("accepted-refused-ones-spend-no-nonce", "accepted", good.text(), after="changed-body")

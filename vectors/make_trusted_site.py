import base64
import hashlib
import hmac
import json

from make_folder import NOW, Folder, b64, public_pem, sign

PAYLOAD = '{"email": "a@example.com", "note": "Gr\u00fc\u00dfe | \U0001f600 \\" \\\\ \\u0000"}'


def trusted_site():
    states = [(state, {"state": state}) for state in ["pending", "retiring", "retired", "revoked", "suspended"]]
    keys = [("drupal", {}), ("drupal_v2", {"version": 2}), *states, ("bolt", {"partner": "bolt"}),
            ("ended", {"not_after": NOW}), ("begins", {"not_before": NOW + 1}),
            ("rfc", {"scheme": "http-message-signatures"})]
    folder = Folder("trusted-site", "trusted-site", [(name, "rsa-v1_5-sha256", more) for name, more in keys])
    case = folder.case

    def request(body, target="/login", method="POST", headers=(("Content-Type", "application/json"),)):
        data = body if isinstance(body, bytes) else body.encode()
        lines = [("Host", "api.example.com"), *headers, ("Content-Length", len(data))]
        return f"{method} {target} HTTP/1.1\r\n{''.join(f'{name}: {value}' + chr(13) + chr(10) for name, value in lines)}\r\n".encode() + data

    def members(payload=PAYLOAD, stamp=NOW, key="drupal", **changed):
        """What stands in a body."""
        signature = b64(folder.sign(key, f"{payload}|{stamp}"))
        return {"payload": payload, "timestamp": stamp, "signature": signature, "site_id": key, **changed}

    def message(*args, **changed):
        return request(json.dumps(members(*args, **changed)))

    # What passes.
    case("accepted", "accepted", message())
    case("accepted-spelled-otherwise", "accepted", request(json.dumps(dict(reversed(members().items())), ensure_ascii=False, indent=1)))
    case("accepted-escaped-letters", "accepted", request(json.dumps(members()).replace('"site_id"', '"\\u0073ite_id"')))
    case("accepted-bar-and-stamp-in-the-payload", "accepted", message(f"x|{NOW - 1}"))
    case("accepted-payload-that-is-no-json", "accepted", message("just words"))
    case("accepted-oldest", "accepted", message(), now=NOW + 300)
    case("accepted-newest", "accepted", message(), now=NOW - 300)
    case("accepted-version-in-the-id", "accepted", message(key="drupal_v2"))
    case("accepted-retiring", "accepted", message(key="retiring"))
    case("accepted-content-type-with-charset", "accepted", request(json.dumps(members()), headers=[("content-type", "Application/JSON; charset=utf-8")]))
    case("accepted-other-path-where-unsigned", "accepted", request(json.dumps(members()), target="/other?a=b", method="PUT"), path="/login", unsigned_target="true")

    # Form.
    for name in ["payload", "timestamp", "signature", "site_id"]:
        left = {member: value for member, value in members().items() if member != name}
        case(f"malformed-without-{name.replace('_', '-')}", "malformed", request(json.dumps(left)))
    case("malformed-member-too-many", "malformed", message(extra=1))
    text = json.dumps(members())
    case("malformed-member-twice", "malformed", request(text[:-1] + ', "site_id": "drupal"}'))
    case("malformed-member-twice-by-escape", "malformed", request(text[:-1] + ', "pay\\u006coad": "x"}'))
    for name, value in [("an-object", {"email": "a@example.com"}), ("a-number", 1), ("null", None)]:
        case(f"malformed-payload-{name}", "malformed", request(json.dumps({**members(), "payload": value})))
    for name, spelled in [("a-string", f'"{NOW}"'), ("a-float", f"{NOW}.0"), ("fractional", f"{NOW}.5"), ("with-exponent", "1795e6"), ("milliseconds", f"{NOW}000"),
                          ("negative", f"-{NOW}"), ("signed", f"+{NOW}"), ("nine-digits", "179500000"), ("eleven-digits", "17950000000"), ("leading-zero", f"0{NOW}"),
                          ("beyond-2-to-the-53", "9007199254740993"), ("beyond-a-double", "1" + "0" * 400), ("null", "null"), ("with-blank-in-a-string", f'" {NOW}"'), ("hexadecimal", hex(NOW))]:
        case(f"malformed-timestamp-{name}", "malformed", request(text.replace(f'"timestamp": {NOW}', f'"timestamp": {spelled}')))
    good = members()["signature"]
    for name, value in [("unpadded", good.rstrip("=")), ("padded-twice", good + "="), ("base64url", base64.urlsafe_b64encode(base64.b64decode(good)).decode() + "_"),
                        ("with-line-end", good[:76] + "\n" + good[76:]), ("with-blank", " " + good), ("hexadecimal", base64.b64decode(good).hex() + "z"), ("empty", ""), ("a-number", 1), ("null", None),
                        ("loose-last-bits", good[:-3] + chr(ord(good[-3]) + 1) + "==")]:
        case(f"malformed-signature-{name}", "malformed", request(json.dumps({**members(), "signature": value})))
    for name, value in [("empty", ""), ("with-slash", "a/drupal"), ("that-climbs", "../drupal"), ("with-percent", "%2e%2e"), ("with-nul", "drupal\0"), ("with-blank", "drupal "), ("beyond-ascii", "drup\u0430l"),
                        ("with-newline", "drupal\n"), ("long", "a" * 65), ("of-100-kilobytes", "a" * 100_000), ("a-number", 1), ("null", None)]:
        case(f"malformed-site-id-{name}", "malformed", request(json.dumps({**members(), "site_id": value})))
    for name, body in [("not-json", text[1:]), ("truncated", text[:-1]), ("trailing", text + "x"), ("byte-order-mark", b"\xef\xbb\xbf" + text.encode()), ("not-utf8", text.encode()[:-1] + b"\xff}"),
                       ("lone-surrogate", text.replace("Gr", "\\ud800", 1)), ("nan", text.replace(str(NOW), "NaN")), ("too-deep", text.replace(f'"timestamp": {NOW}', '"timestamp": ' + "[" * 100_000))]:
        case(f"malformed-body-{name}", "malformed", request(body))
    for name, target in [("double-slash", "//login"), ("dot-segment", "/a/../login"), ("escaped-dots", "/%2e%2e/login"), ("fragment", "/login#a")]:
        case(f"malformed-target-{name}", "malformed", request(text, target=target))

    # Is there a signature, and whose scheme is it?
    case("unsigned", "unsigned", request(PAYLOAD))
    case("unsigned-no-body", "unsigned", b"POST /login HTTP/1.1\r\nHost: api.example.com\r\nContent-Type: application/json\r\n\r\n")
    case("unsigned-other-content-type", "unsigned", request(text, headers=[("Content-Type", "text/plain")]))
    case("unsigned-no-content-type", "unsigned", request(text, headers=[]))
    case("unsigned-a-list", "unsigned", request(f"[{text}]"))
    case("unsigned-in-the-headers-is-not-in-the-body", "unsigned", request(PAYLOAD, headers=[("Content-Type", "application/json"), ("Signature", good), ("Site-Id", "drupal"), ("Timestamp", NOW)]))
    other = [("Content-Type", "application/json"), ("Authorization", f"PKI drupal:{good}")]
    case("scheme-not-allowed", "scheme_not_allowed", request(text, headers=other))
    case("ambiguous-two-schemes", "ambiguous", request(text, headers=[*other, ("AppId", "drupal")]))
    case("unsigned-where-another-scheme-is-admitted", "unsigned", request(text), scheme="pki")
    case("body-too-large", "body_too_large", message(), max_body=len(text) - 1)

    # Only the body is signed, so it is taken at one place only.
    for name, target in [("query", "/login?a=b"), ("empty-query", "/login?"), ("deeper-path", "/login/admin"), ("trailing-slash", "/login/")]:
        case(f"coverage-{name}", "coverage_too_small", request(text, target=target), path="/login")
    for method in ["PUT", "GET", "DELETE"]:
        case(f"coverage-{method.lower()}", "coverage_too_small", request(text, method=method))

    # Time, and keys.
    case("too-old", "too_old", message(), now=NOW + 301)
    case("too-old-whatever-the-date-says", "too_old", request(text, headers=[("Content-Type", "application/json"), ("Date", "Wed, 18 Nov 2026 11:11:41 GMT"), ("X-Timestamp", NOW + 301)]), now=NOW + 301)
    case("not-yet-valid", "not_yet_valid", message(), now=NOW - 301)
    for name, site in [("", "nobody"), ("-other-case", "Drupal"), ("-of-dots", ".."), ("-file-name", "drupal_public.pem")]:
        case(f"unknown-signer{name}", "unknown_signer", message(site_id=site))
    # A signature base of RFC 9421 can end like this, so a key signs in one scheme only.
    base = f'"@method": POST\n"@signature-params": ("@method");created={NOW};keyid="rfc";nonce="n";x=t'
    case("unknown-signer-whose-key-signs-a-base-that-reads-as-payload-and-timestamp", "unknown_signer", message(base, key="rfc"))
    case("unknown-signer-comes-before-age", "unknown_signer", message(site_id="nobody"), now=NOW + 999)
    for key in ["pending", "retired", "revoked", "suspended", "ended", "begins"]:
        case(f"key-{key}", "key_not_usable", message(key=key))
    case("key-revoked-after-it-signed", "key_not_usable", message(key="revoked"), now=NOW + 1)
    case("partner-not-allowed", "partner_not_allowed", message(), partners="bolt")

    # Anything changed.
    def changed(name, **what):
        case(f"changed-{name}", "bad_signature", request(json.dumps({**members(), **what})))

    changed("payload", payload=PAYLOAD.replace("a@", "b@"))
    changed("payload-by-a-blank", payload=PAYLOAD + " ")
    changed("payload-to-its-decomposed-form", payload=PAYLOAD.replace("\u00fc", "u\u0308"))
    changed("timestamp", timestamp=NOW + 1)
    changed("signature", signature=b64(bytes(256)))
    changed("signature-by-a-byte-in-front", signature=b64(b"\0" + base64.b64decode(good)))
    changed("site", site_id="bolt")
    barred = members(f"x|{NOW - 1}")
    case("changed-border-of-payload-and-timestamp", "bad_signature", request(json.dumps({**barred, "payload": "x", "timestamp": NOW - 1})))
    case("changed-timestamp-into-the-payload", "bad_signature", request(json.dumps({**members(), "payload": f"{PAYLOAD}|{NOW}"})))
    pss = sign("rsa-pss-sha256", folder.keys["drupal"], f"{PAYLOAD}|{NOW}".encode(), salt=0)
    changed("signature-to-pss", signature=b64(pss))
    forged = hmac.new(public_pem(folder.keys["drupal"]).encode(), f"{PAYLOAD}|{NOW}".encode(), hashlib.sha256).digest()
    changed("signature-to-an-hmac-of-the-public-key", signature=b64(forged))
    changed("separator", signature=b64(folder.sign("drupal", f"{PAYLOAD}{NOW}")))

    # Replay.
    case("replayed", "replayed", message(), after="accepted")
    case("replayed-spelled-otherwise", "replayed", request(json.dumps(members(), ensure_ascii=False, separators=(",", ":"))), after="accepted")
    case("accepted-a-second-later", "accepted", message(stamp=NOW + 1), after="accepted")
    case("accepted-same-words-of-another-partner", "accepted", message(key="bolt"), after="accepted")
    case("accepted-refused-ones-spend-nothing", "accepted", message(), after="changed-signature")

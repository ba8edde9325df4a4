import json

from make_folder import NOW, Folder, b64
from make_pki_form import pki_form


def pki():
    folder = Folder("pki", "pki", [("site", "rsa-pss-sha256", {}), ("revoked", "rsa-pss-sha256", {"state": "revoked"}), ("bolt", "rsa-pss-sha256", {"partner": "bolt"})])
    case = folder.case
    document = {"message_id": "m-1", "sender": "acme", "content": "Gr\u00fc\u00dfe \U0001f600", "priority": "low", "timestamp": NOW}

    def text(document, key="site", header=None, body=None, salt=None, target="/message1", method="POST", content_type="application/json"):
        printed = json.dumps(document, sort_keys=True)
        body = printed if body is None else body
        signature = b64(folder.sign(key, printed, salt=salt))
        header = f"PKI {key}:{signature}" if header is None else header.format(signature)
        data = body if isinstance(body, bytes) else body.encode()
        head = f"{method} {target} HTTP/1.1\r\nHost: api.example.com\r\nContent-Type: {content_type}\r\nAuthorization: {header}\r\nContent-Length: {len(data)}\r\n\r\n"
        return head.encode() + data

    def with_(**changes):
        return {**document, **changes}

    case("accepted", "accepted", text(document))
    case("accepted-bare-header", "accepted", text(document, header="PKI {}"), signer="site")
    case("accepted-spelled-otherwise", "accepted", text(document, body=json.dumps(document, ensure_ascii=False, indent=1)))
    for name, salt in [("0", 0), ("20", 20), ("maximum", 222)]:
        case(f"accepted-salt-{name}", "accepted", text(document, salt=salt))
    case("accepted-rfc3339", "accepted", text(with_(timestamp="2026-11-18T11:06:40Z")))
    case("accepted-rfc3339-offset", "accepted", text(with_(timestamp="2026-11-18T13:06:40.5+02:00")))
    case("accepted-zoneless-as-utc", "accepted", text(with_(timestamp="2026-11-18T11:06:40.000001")), zone="utc")
    numbers = {"a": 1.0, "b": 1e5, "c": -0.0, "d": 10**40, "e": 1e16, "f": 1e-7, "g": 5e-324, "h": 0.1, "i": 1e22, "j": 123456789012345678}
    case("accepted-numbers", "accepted", text(with_(numbers=numbers)))
    case("accepted-numbers-spelled-otherwise", "accepted", text(with_(n=[100000.0, 0, 0.5]), body=json.dumps(with_(n=[0, 0, 0])).replace("[0, 0, 0]", "[1E5, -0, 50e-2]")))
    case("accepted-keys-by-code-point", "accepted", text(with_(**{"\U0001f600": 1, "\ufffd": 2, "\u00e9": 3, "z": 4})))
    case("accepted-controls", "accepted", text(with_(content="\x00\x1f\x7f\u2028\"\\/\b\f\n\r\t")))
    deep = 1
    for _ in range(126):
        deep = [deep]
    case("accepted-deep", "accepted", text(with_(deep=deep)))
    case("malformed-too-deep", "malformed", text(with_(deep=[[deep]])))
    plain = json.dumps(document)
    for name, body in [("member-twice", plain[:-1] + ', "priority": "low"}'), ("member-twice-by-escape", plain[:-1] + ', "prior\\u0069ty": "low"}'),
                       ("nan", plain[:-1] + ', "n": NaN}'), ("infinity", plain[:-1] + ', "n": -Infinity}'), ("beyond-a-double", plain[:-1] + ', "n": 1e400}'),
                       ("lone-surrogate", plain[:-1] + ', "s": "\\ud800"}'), ("not-utf8", plain.encode()[:-1] + b', "s": "\xff"}'), ("trailing", plain + "x"),
                       ("truncated", plain[:-1]), ("empty-object-text", "{"), ("byte-order-mark", b"\xef\xbb\xbf" + plain.encode())]:
        case(f"malformed-{name}", "malformed", text(document, body=body))
    case("malformed-printing-of-a-multipart", "malformed", text({"content_type": None, "fields": {}, "filename": None, "sha256": "", "size": 0}))
    for name, stamp in [("words", "yesterday"), ("zoneless", "2026-11-18T11:06:40"), ("milliseconds", NOW * 1000), ("float", float(NOW)), ("null", None), ("digits-in-a-string", str(NOW)), ("negative", -NOW)]:
        case(f"malformed-timestamp-{name}", "malformed", text(with_(timestamp=stamp)))
    for name, value in [("empty", ""), ("long", "m" * 129), ("number", 1), ("null", None)]:
        case(f"malformed-message-id-{name}", "malformed", text(with_(message_id=value)))
    for name, header in [("no-base64", "PKI x"), ("empty", "PKI"), ("unpadded", "PKI site:AAA"), ("id-with-slash", "PKI a/b:{}"), ("two-blanks", "PKI  site:{}")]:
        case(f"malformed-header-{name}", "malformed", text(document, header=header))
    case("malformed-content-type", "malformed", text(document, content_type="text/plain"))
    without = {name: value for name, value in document.items() if name != "timestamp"}
    case("coverage-without-timestamp", "coverage_too_small", text(without))
    case("accepted-without-timestamp-where-unprotected", "accepted", text(without), replay="unprotected")
    case("coverage-without-message-id", "coverage_too_small", text({name: value for name, value in document.items() if name != "message_id"}))
    case("coverage-other-path", "coverage_too_small", text(document, target="/message2"), path="/message1")
    case("coverage-query", "coverage_too_small", text(document, target="/message1?a=b"))
    case("coverage-method", "coverage_too_small", text(document, method="PUT"))
    case("accepted-other-path-where-unsigned", "accepted", text(document, target="/message2?a=b", method="PUT"), path="/message1", unsigned_target="true")
    case("unsigned-no-header", "unsigned", text(document).replace(b"Authorization", b"X-Authorization"))
    case("unsigned-no-body", "unsigned", b"POST /message1 HTTP/1.1\r\nHost: api.example.com\r\nAuthorization: PKI site:AAAA\r\n\r\n")
    case("ambiguous-two-schemes", "ambiguous", text(document).replace(b"Authorization:", b"AppId: site\r\nAuthorization:"))
    case("too-old", "too_old", text(document), now=NOW + 301)
    case("not-yet-valid", "not_yet_valid", text(document), now=NOW - 31)
    case("unknown-signer", "unknown_signer", text(document, header="PKI nobody:{}"))
    case("unknown-signer-bare", "unknown_signer", text(document, header="PKI {}"))
    case("key-revoked", "key_not_usable", text(document, key="revoked"))
    case("other-partners-key", "bad_signature", text(document, key="bolt", header="PKI site:{}"))
    case("changed-value", "bad_signature", text(document, body=plain.replace('"low"', '"high"')))
    case("changed-number-type", "bad_signature", text(with_(n=1), body=json.dumps(with_(n=1.0))))
    case("changed-signature", "bad_signature", text(document, header="PKI site:" + b64(bytes(256))))
    case("partner-not-allowed", "partner_not_allowed", text(document), partners="bolt")
    case("replayed", "replayed", text(document), after="accepted")
    case("replayed-by-its-id", "replayed", text(with_(priority="high")), after="accepted")
    case("scheme-not-allowed", "scheme_not_allowed", text(document), scheme="http-message-signatures")
    case("body-too-large", "body_too_large", text(document), max_body=20)
    pki_form(folder)

import hashlib
import json

from make_folder import NOW, b64


def pki_form(folder):
    """Uploaded forms: `multipart/form-data` with one part `file`, added to the folder of `pki`."""
    text = {"message_id": "f-1", "timestamp": str(NOW), "sender": "acme", "description": "Gr\u00fc\u00dfe \U0001f600"}
    content = b"first line\r\n--not the boundary\r\n\x00\xff\r\n"

    def field(name, value, more=""):
        return f'Content-Disposition: form-data; name="{name}"{more}', value

    def upload(value=content, name='; filename="a.txt"', kind="\r\nContent-Type: text/plain"):
        return f'Content-Disposition: form-data; name="file"{name}{kind}', value

    def parts(**changed):
        return [field(name, value) for name, value in {**text, **changed}.items()] + [upload()]

    def body(parts, boundary="b-1", end="\r\n", before=b"", after=b""):
        out = before
        for header, value in parts:
            data = value if isinstance(value, bytes) else value.encode()
            out += f"--{boundary}\r\n{header}\r\n\r\n".encode() + data + b"\r\n"
        return out + f"--{boundary}--{end}".encode() + after

    def printed(fields=None, data=content, file_name="a.txt", kind="text/plain"):
        return json.dumps({"content_type": kind, "fields": text if fields is None else fields, "filename": file_name,
                           "sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}, sort_keys=True)

    def message(data, signed=None, key="site", header=None, content_type="multipart/form-data; boundary=b-1", target="/file", method="POST"):
        signature = b64(folder.sign(key, printed() if signed is None else signed))
        header = f"PKI {key}:{signature}" if header is None else header.format(signature)
        head = f"{method} {target} HTTP/1.1\r\nHost: api.example.com\r\nContent-Type: {content_type}\r\nAuthorization: {header}\r\nContent-Length: {len(data)}\r\n\r\n"
        return head.encode() + data

    def case(name, expect, data, signed=None, after=None, **header):
        how = {key: header.pop(key) for key in ["key", "header", "content_type", "target", "method"] if key in header}
        if after:
            header["after"] = after
        folder.case(f"form-{name}", expect, message(data, signed, **how), **header)

    # What passes.
    case("accepted", "accepted", body(parts()))
    case("accepted-bare-header", "accepted", body(parts()), header="PKI {}", signer="site")
    case("accepted-in-another-order", "accepted", body(list(reversed(parts()))))
    case("accepted-under-another-boundary", "accepted", body(parts(), boundary="----x'()+_,-./:=? y"), content_type="Multipart/Form-Data; Boundary=\"----x'()+_,-./:=? y\"")
    case("accepted-without-a-last-line-end", "accepted", body(parts(), end=""))
    spelled = [(f"content-disposition:form-data;name={name}\r\nContent-Type: text/plain; charset=UTF-8", value) for name, value in text.items()]
    true = f'CONTENT-DISPOSITION: Form-Data; filename="a.txt" ; name=file\r\nContent-Length: {len(content)}\r\nContent-Transfer-Encoding: Binary\r\nContent-Type: text/plain'
    case("accepted-with-headers-spelled-otherwise", "accepted", body([*spelled, (true, content)]))
    case("accepted-without-name-and-type", "accepted", body(parts()[:-1] + [upload(name="", kind="")]), printed(file_name=None, kind=None))
    case("accepted-empty-file", "accepted", body(parts()[:-1] + [upload(b"")]), printed(data=b""))
    case("accepted-all-bytes", "accepted", body(parts()[:-1] + [upload(bytes(range(256)))]), printed(data=bytes(range(256))))
    case("accepted-names-beyond-ascii", "accepted", body([*parts()[:-1], field("gr\u00f6\u00dfe \U0001f600", ""), upload(name='; filename="\u00fc %22.txt"')]), printed({**text, "gr\u00f6\u00dfe \U0001f600": ""}, file_name="\u00fc %22.txt"))
    case("accepted-type-with-parameters", "accepted", body(parts()[:-1] + [upload(kind="\r\nContent-Type: text/x-notes; charset=latin-1")]), printed(kind="text/x-notes; charset=latin-1"))
    stamped = {**text, "timestamp": "2026-11-18T13:06:40+02:00"}
    case("accepted-rfc3339", "accepted", body(parts(**stamped)), printed(stamped))
    zoneless = {**text, "timestamp": "2026-11-18T11:06:40"}
    case("accepted-zoneless-as-utc", "accepted", body(parts(**zoneless)), printed(zoneless), zone="utc")
    bare = {"sender": "acme"}
    case("accepted-without-timestamp-where-unprotected", "accepted", body([field("sender", "acme"), upload()]), printed(bare), replay="unprotected")
    case("accepted-value-with-line-ends", "accepted", body(parts(description="a\r\nb\n--b-1")), printed({**text, "description": "a\r\nb\n--b-1"}))

    # What two receivers could read in two ways.
    def wrong(name, data, **how):
        case(f"malformed-{name}", "malformed", data, **how)

    def with_file(name, *, header=None, value=content, **how):
        wrong(name, body(parts()[:-1] + [upload(value) if header is None else (header, value)]), **how)

    whole = upload()[0]
    wrong("part-name-twice", body([*parts()[:-1], field("sender", "bolt"), upload()]))
    wrong("part-name-twice-in-other-headers", body([*parts()[:-1], ("Content-Disposition: form-data; name=sender", "acme"), upload()]))
    wrong("two-files", body([*parts(), upload(b"other")]))
    wrong("no-file", body(parts()[:-1]))
    wrong("no-part", body([]))
    for name, disposition in [("parameter-twice", 'name="file"; name="file"'), ("parameter-twice-in-other-case", 'name="file"; NAME="x"'), ("filename-twice", 'name="file"; filename="a.txt"; filename="b"'),
                              ("extended-filename", "name=\"file\"; filename=\"a.txt\"; filename*=utf-8''b.txt"), ("continued-filename", 'name="file"; filename*0="a.txt"'), ("filename-with-quote", 'name="file"; filename="a\\".txt"'),
                              ("filename-with-quote-inside", 'name="file"; filename="a".txt"'), ("filename-with-path", 'name="file"; filename="../a.txt"'), ("filename-with-windows-path", 'name="file"; filename="C:\\a.txt"'),
                              ("filename-of-dots", 'name="file"; filename=".."'), ("filename-empty", 'name="file"; filename=""'), ("filename-with-nul", 'name="file"; filename="a\0.txt"'),
                              ("other-parameter", 'name="file"; filename="a.txt"; size=1'), ("no-name", 'filename="a.txt"'), ("empty-name", 'name=""; filename="a.txt"')]:
        with_file(name, header=f"Content-Disposition: form-data; {disposition}\r\nContent-Type: text/plain")
    with_file("not-form-data", header=whole.replace("form-data", "attachment"))
    with_file("no-disposition", header="Content-Type: text/plain")
    with_file("disposition-twice", header=f"{whole}\r\nContent-Disposition: form-data; name=other")
    with_file("type-twice", header=f"{whole}\r\nContent-Type: text/html")
    with_file("other-header", header=f"{whole}\r\nX-Note: 1")
    with_file("content-encoding", header=f"{whole}\r\nContent-Encoding: gzip")
    for name, length in [("too-short", len(content) - 1), ("too-long", len(content) + 1), ("signed", f"+{len(content)}"), ("with-zero", f"0{len(content)}")]:
        with_file(f"length-{name}", header=f"{whole}\r\nContent-Length: {length}")
    for encoding in ["base64", "quoted-printable", "7bit", "8bit"]:
        with_file(f"transfer-encoding-{encoding}", header=f"{whole}\r\nContent-Transfer-Encoding: {encoding}")
    with_file("folded-header", header=whole.replace("; filename", ";\r\n filename"))
    with_file("bare-line-feed-in-a-header", header=whole.replace("\r\nContent-Type", "\nContent-Type"))
    with_file("blank-before-colon", header=whole.replace("Content-Disposition:", "Content-Disposition :"))
    with_file("type-without-subtype", header=whole.replace("text/plain", "text"))
    with_file("file-is-multipart", header=whole.replace("text/plain", "multipart/mixed; boundary=c"))
    with_file("long-header", header=f"{whole}; note={'x' * 8192}")
    with_file("boundary-inside-the-content", value=b"one\r\n--b-1\r\ntwo")
    with_file("last-boundary-inside-the-content", value=b"one\r\n--b-1--\r\ntwo")
    with_file("longer-boundary-inside-the-content", value=b"one\r\n--b-12\r\ntwo")
    wrong("text-with-filename", body([field("message_id", "f-1", '; filename="x"'), *parts()[1:]]))
    wrong("text-of-another-type", body([("Content-Disposition: form-data; name=\"message_id\"\r\nContent-Type: application/json", "f-1"), *parts()[1:]]))
    wrong("text-in-another-charset", body([("Content-Disposition: form-data; name=\"message_id\"\r\nContent-Type: text/plain; charset=utf-16", "f-1"), *parts()[1:]]))
    wrong("text-not-utf8", body([*parts()[:-1], field("note", b"\xff"), upload()]))
    wrong("charset-field", body([field("_charset_", "utf-7"), *parts()]))
    wrong("preamble", body(parts(), before=b"preamble\r\n"))
    wrong("line-end-before-the-first-boundary", body(parts(), before=b"\r\n"))
    wrong("epilogue", body(parts(), after=b"epilogue"))
    wrong("line-end-after-the-last-boundary", body(parts(), after=b"\r\n"))
    wrong("second-form-behind-the-first", body(parts(), after=body(parts())))
    wrong("no-last-boundary", body(parts(), end="")[: -len("--b-1--")])
    wrong("truncated", body(parts())[:-40])
    wrong("bare-line-feeds", body(parts()[:-1] + [upload(b"x")]).replace(b"\r\n", b"\n"))
    wrong("blank-behind-a-boundary", body(parts()).replace(b"--b-1\r\n", b"--b-1 \r\n", 1))
    many = {**text, **{f"f{number}": "" for number in range(123)}}
    case("accepted-128-parts", "accepted", body(parts(**many)), printed(many))
    wrong("129-parts", body(parts(**many, last="")), signed=printed({**many, "last": ""}))
    for name, kind in [("absent", ""), ("empty", "; boundary="), ("twice", "; boundary=b-1; boundary=b-1"), ("twice-and-different", "; boundary=b-1; Boundary=c"), ("with-charset", "; boundary=b-1; charset=utf-8"), ("extended", "; boundary*=b-1"),
                       ("long", f"; boundary={'b' * 71}"), ("with-illegal-character", "; boundary=b#1"), ("that-ends-in-a-blank", '; boundary="b-1 "'), ("another", "; boundary=b-2")]:
        wrong(f"boundary-{name}", body(parts()), content_type=f"multipart/form-data{kind}")
    wrong("multipart-mixed", body(parts()), content_type="multipart/mixed; boundary=b-1")
    for name, stamp in [("words", "yesterday"), ("zoneless", "2026-11-18T11:06:40"), ("milliseconds", f"{NOW}000"), ("float", f"{NOW}.0"), ("with-blank", f" {NOW}"), ("negative", f"-{NOW}"), ("empty", "")]:
        changed = {**text, "timestamp": stamp}
        wrong(f"timestamp-{name}", body(parts(**changed)), signed=printed(changed))
    for name, value in [("empty", ""), ("long", "m" * 129)]:
        changed = {**text, "message_id": value}
        wrong(f"message-id-{name}", body(parts(**changed)), signed=printed(changed))

    # The rest of the chain.
    case("unsigned", "unsigned", body(parts()), header="Basic {}")
    case("body-too-large", "body_too_large", body(parts()), max_body=100)
    for missing in ["timestamp", "message_id"]:
        left = {name: value for name, value in text.items() if name != missing}
        case(f"coverage-without-{missing.replace('_', '-')}", "coverage_too_small", body([*(field(*item) for item in left.items()), upload()]), printed(left))
    case("coverage-query", "coverage_too_small", body(parts()), target="/file?a=b")
    case("coverage-other-path", "coverage_too_small", body(parts()), target="/message1", path="/file")
    case("coverage-put", "coverage_too_small", body(parts()), method="PUT")
    case("too-old", "too_old", body(parts()), now=NOW + 301)
    case("not-yet-valid", "not_yet_valid", body(parts()), now=NOW - 31)
    case("unknown-signer", "unknown_signer", body(parts()), header="PKI nobody:{}")
    case("key-revoked", "key_not_usable", body(parts()), key="revoked")
    case("partner-not-allowed", "partner_not_allowed", body(parts()), partners="bolt")

    # Anything changed.
    def changed(name, data, **how):
        case(f"changed-{name}", "bad_signature", data, **how)

    changed("content-and-not-what-is-said-of-it", body(parts()[:-1] + [upload(content.replace(b"first", b"First"))]))
    changed("content-by-a-line-end", body(parts()[:-1] + [upload(content + b"\r\n")]))
    changed("file-name", body(parts()[:-1] + [upload(name='; filename="a.exe"')]))
    changed("file-name-dropped", body(parts()[:-1] + [upload(name="")]))
    changed("type", body(parts()[:-1] + [upload(kind="\r\nContent-Type: text/html")]))
    changed("type-in-case", body(parts()[:-1] + [upload(kind="\r\nContent-Type: Text/Plain")]))
    changed("type-dropped", body(parts()[:-1] + [upload(kind="")]))
    changed("field", body(parts(sender="bolt")))
    changed("field-added", body([field("admin", ""), *parts()]))
    changed("field-dropped", body([*parts()[:3], upload()]))
    changed("field-name", body([field("Sender" if item[0] == "sender" else item[0], item[1]) for item in text.items()] + [upload()]))
    changed("fields-swapped", body(parts(sender=text["description"], description=text["sender"])))
    changed("signer", body(parts()), key="bolt", header="PKI site:{}")

    # Replay.
    case("replayed", "replayed", body(parts()), after="form-accepted")
    case("replayed-under-another-boundary", "replayed", body(list(reversed(parts())), boundary="c"), content_type="multipart/form-data; boundary=c", after="form-accepted")
    other = {**text, "description": "another"}
    case("replayed-by-its-id", "replayed", body(parts(**other)), printed(other), after="form-accepted")
    json_of_the_same_id = {**text, "message_id": "m-1"}
    case("replayed-by-the-id-of-a-json-message", "replayed", body(parts(**json_of_the_same_id)), printed(json_of_the_same_id), after="accepted")
    new = {**text, "message_id": "f-2"}
    case("accepted-another-id", "accepted", body(parts(**new)), printed(new), after="form-accepted")

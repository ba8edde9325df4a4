"""Reads forms in the plainest way there is, and prints what a sender signs. Frames: a u32 (little-endian) of length."""
import hashlib, json, re, struct, sys

def frame():
    four = sys.stdin.buffer.read(4)
    return sys.stdin.buffer.read(struct.unpack("<I", four)[0]) if four else sys.exit()

def signed(content_type, body):
    boundary = b"--" + content_type.split(b"boundary=")[1].strip(b'"')
    parts = (b"\r\n" + body).split(b"\r\n" + boundary)
    assert parts[0] == b"" and parts[-1] in (b"--", b"--\r\n"), parts
    printed = {"fields": {}}
    for part in parts[1:-1]:
        header, content = part[2:].split(b"\r\n\r\n", 1)
        header = header.decode()
        kind = re.search("(?im)^content-type: *(.*?)\r?$", header)
        filename = re.search('filename="([^"]*)"', header)
        name = re.search('[ ;]name="([^"]*)"', header)[1]
        if name != "file":
            printed["fields"][name] = content.decode()
            continue
        printed |= {"filename": filename and filename[1], "content_type": kind and kind[1],
                    "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    return json.dumps(printed, sort_keys=True).encode()

while True:
    answer = signed(frame(), frame())
    sys.stdout.buffer.write(struct.pack("<I", len(answer)) + answer)
    sys.stdout.buffer.flush()

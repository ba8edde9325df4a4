"""Answers what CPython makes of JSON documents. Frames on both pipes: a u32 (little-endian) of length before each text.

In: a count, then as many documents. Out: for each a verdict (one byte) and what was printed:
`=` printed; `-` refused by CPython; else accepted by CPython, but on the list of what Countersign refuses nevertheless:
`u` not UTF-8, or a byte order mark; `d` a member twice; `c` NaN or an infinity; `r` beyond a double's range;
`s` a lone surrogate; `n` nested too deep.
"""
import json
import struct
import sys

sys.set_int_max_str_digits(0)


class Listed(Exception):
    pass


def refuse(verdict):
    raise Listed(verdict)


def members(pairs):
    return dict(pairs) if len({name for name, _ in pairs}) == len(pairs) else refuse("d")


def double(lexeme):
    value = float(lexeme)
    return value if abs(value) != float("inf") else refuse("r")


strict = json.JSONDecoder(object_pairs_hook=members, parse_constant=lambda _: refuse("c"), parse_float=double)


def levels(value):
    deepest, inside = 0, [(value, 1)]
    while inside:
        value, level = inside.pop()
        if isinstance(value, (dict, list)):
            deepest = max(deepest, level)
            inside.extend((child, level + 1) for child in (value.values() if isinstance(value, dict) else value))
    return deepest


def listed(body):
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return "u"
    if json.detect_encoding(body) != "utf-8":
        return "u"
    try:
        value = strict.decode(text)
    except Listed as verdict:
        return verdict.args[0]
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return "s"
    if body.count(b"[") + body.count(b"{") > 128 and levels(value) > 128:
        return "n"
    return None


def judge(body):
    try:
        printed = json.dumps(json.loads(body), sort_keys=True)
    except (ValueError, RecursionError):
        return "-", ""
    verdict = listed(body)
    return (verdict, "") if verdict else ("=", printed)


def number():
    four = sys.stdin.buffer.read(4)
    return struct.unpack("<I", four)[0] if len(four) == 4 else sys.exit()


while True:
    documents = [sys.stdin.buffer.read(number()) for _ in range(number())]
    for body in documents:
        verdict, printed = judge(body)
        sys.stdout.buffer.write(verdict.encode() + struct.pack("<I", len(printed)) + printed.encode())
    sys.stdout.buffer.flush()

"""Chooses what is kept of the inputs that a merge of libFuzzer looked at: the few that reach the most.

Takes the merge's control file (a line `FT <number> <feature>…` per input, in the mode `-set_cover_merge=1` with all its
features) and the folder that they go to, whose files are replaced, but for those that have names: attacks put there by hand.
"""

import hashlib
import pathlib
import re
import sys

FILES = 50
BYTES = 150 << 10


def read(control):
    lines = control.read_text().splitlines()
    count = int(lines[0])
    names = [pathlib.Path(name) for name in lines[2 : 2 + count]]
    features = {}
    for line in lines[2 + count :]:
        word, number, *found = line.split()
        if word == "FT":
            features[names[int(number)].read_bytes()] = set(found)
    return features


def choose(features):
    """Greedily the input with the most that is new, the shorter of two equals."""
    kept, seen, left = [], set(), BYTES
    while len(kept) < FILES:
        fitting = (text for text in features if len(text) <= left)
        best = max(fitting, key=lambda text: (len(features[text] - seen), -len(text), text), default=None)
        if best is None or not features[best] - seen:
            break
        kept.append(best)
        seen |= features[best]
        left -= len(best)
    return kept, len(seen), len(set().union(*features.values()))


def main():
    control, folder = map(pathlib.Path, sys.argv[1:])
    kept, reached, known = choose(read(control))
    if not kept:
        sys.exit(f"{folder}: nothing to keep")
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.iterdir():
        if re.fullmatch("[0-9a-f]{40}", file.name):
            file.unlink()
    for text in kept:
        (folder / hashlib.sha1(text).hexdigest()).write_bytes(text)
    print(f"{folder}: {len(kept)} files, {sum(map(len, kept))} bytes, which reach {reached} of {known} features")


main()

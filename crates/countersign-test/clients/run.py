"""Runs one client of another language against the real binary, and prints what was seen.

usage: run.py BINARY NAME COMMAND...

`NAME/keys.txt` beside this file lists the keys that the client signs with: id, scheme, algorithm and, for `app-hmac`, layout,
unit and form of the nonce. Each is generated and added through the command line of BINARY, and beside each a second of the
same kind, `ID-other`, which belongs to somebody else. Then the gateway is started, before an API that keeps what it gets, and

    COMMAND... BINARY ADDRESS CHANGES

runs in a directory that holds `keys.txt`, `ID.key` and `ID.key.pub`. For each key, and each line of the table of changes for
its kind, the client signs a request, sends it changed and sees the refusal that the table names; sends it unchanged and sees
it pass; sends it again and sees that it is a replay. Then it verifies what `countersign sign` signed with the key. It writes
what it saw to stdout, a line each: `passed`, `refused`, `replayed` or `verified`, the key, and what was tried, with tabs
between them. Here that is held against the tables, and against what the API got.
"""

import collections
import pathlib
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "python"))

import binary  # noqa: E402
import case  # noqa: E402

CHANGES = HERE / "changes"
LIMIT = 600  # seconds

CONFIG = """
data = "countersign-data"

[gateway]
listen = ["LISTEN"]
public_url = ["http://LISTEN"]

[admin]
listen = "ADMIN"
"""

ROUTES = {
    "/orders": "http-message-signatures",
    "/others": "http-message-signatures",
    "/messages": "pki",
    "/trusted": "trusted-site",
    "/app": "app-hmac",
}


class Key:
    def __init__(self, line):
        self.id, self.scheme, self.algorithm, *form = line.split()
        self.options = dict(zip(("--layout", "--timestamp-unit", "--nonce-form"), form))

    def table(self):
        """The file that says what is changed of a message of this kind."""
        return "-".join([self.scheme, *filter(None, [self.options.get("--layout")])]) + ".txt"

    def add(self, countersign, partner, identifier):
        path = countersign.generate(self.algorithm, f"{identifier}.key")
        options = [word for option in self.options.items() for word in option]
        countersign.add_key(partner, identifier, self.scheme, self.algorithm, path, *options)


def rows(path):
    """The lines of a table that are neither empty nor remarks."""
    return [line for line in path.read_text().splitlines() if line and not line.startswith("#")]


def routes(schemes):
    return "".join(
        f'\n[[route]]\npath = "{path}"\nupstream = "UPSTREAM"\nschemes = ["{scheme}"]\nrefusals = "components"\n'
        for path, scheme in ROUTES.items()
        if scheme in schemes
    )


def check(keys, lines, received):
    """Nothing was left out, and what reached the API is what passed, in the name of its signer."""
    seen = collections.defaultdict(collections.Counter)
    for line in lines:
        column, key, what = line.split("\t")
        seen[column, key][what] += 1
    assert {column for column, _ in seen} <= set(case.COLUMNS), seen.keys()
    for key in keys:
        for column in ("refused", "passed", "replayed"):
            left_out = {row.split(" | ")[0] for row in rows(CHANGES / key.table())} - set(seen[column, key.id])
            assert not left_out, f"{key.id}: nothing was {column} that tried {left_out}"
        assert sum(seen["verified", key.id].values()) > 1, f"nothing was verified of {key.id}"
    arrived = collections.Counter(
        tuple(",".join(request.all(f"countersign-{name}")) for name in ("partner", "key", "scheme"))
        for request in received
    )
    passed = {("acme", key.id, key.scheme): sum(seen["passed", key.id].values()) for key in keys}
    assert arrived == passed, f"the API got {arrived}, and {passed} should have passed"
    return {key.id: {column: sum(seen[column, key.id].values()) for column in case.COLUMNS} for key in keys}


def main():
    path, name, *command = sys.argv[1:]
    binary.PATH = pathlib.Path(path).resolve(strict=True)
    keys = [Key(line) for line in rows(HERE / name / "keys.txt")]
    countersign = binary.Countersign(CONFIG + routes({key.scheme for key in keys}))
    started = time.monotonic()
    try:
        for partner in ("acme", "globex"):
            countersign.on_registry("partner", "add", partner)
        for key in keys:
            key.add(countersign, "acme", key.id)
            key.add(countersign, "globex", f"{key.id}-other")
        (countersign.directory / "keys.txt").write_text("\n".join(rows(HERE / name / "keys.txt")) + "\n")
        countersign.start()
        with tempfile.TemporaryFile("w+") as printed:
            arguments = [*command, str(binary.PATH), countersign.listen, str(CHANGES)]
            done = subprocess.run(
                arguments,
                cwd=countersign.directory,
                env=binary.ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=printed,
                timeout=LIMIT,
            )
            printed.seek(0)
            lines = printed.read().splitlines()
        assert done.returncode == 0, f"{name} ended with {done.returncode}, after {lines[-3:]}"
        counts = check(keys, lines, countersign.upstream.seen)
    finally:
        status = countersign.stop()
    assert status == 0, f"the gateway ended with {status}"
    for identifier, row in counts.items():
        case.TABLE[f"{name}, {identifier}"].update(row)
    case.print_table(f"{name}, {time.monotonic() - started:.0f} s; ")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What every suite here does: one gateway per class, requests that pass, and the same requests changed on the way."""

import collections
import unittest

from binary import Countersign
from wire import REFUSALS

# Per row of the table that `run.py` prints: what passed, what was refused, what was recognised as a replay, and of what
# Countersign signed, what somebody else verified.
COLUMNS = ["passed", "refused", "replayed", "verified"]
TABLE = collections.defaultdict(collections.Counter)


def print_table(summary):
    print(f"\n{'':44}" + "".join(f"{column:>10}" for column in COLUMNS))
    for row, counts in sorted(TABLE.items()):
        print(f"{row:44}" + "".join(f"{counts[column]:>10}" for column in COLUMNS))
    total = sum(TABLE.values(), collections.Counter())
    print(summary + ", ".join(f"{total[column]} {column}" for column in COLUMNS))


class GatewayCase(unittest.TestCase):
    config = None

    @classmethod
    def setUpClass(cls):
        cls.countersign = Countersign(cls.config)
        cls.addClassCleanup(cls.end)
        cls.onboard()
        cls.countersign.start()

    @classmethod
    def end(cls):
        status = cls.countersign.stop()
        assert status in (0, None), f"the gateway ended with {status}"

    def send(self, request):
        return request.send(self.countersign.listen)

    def passes(self, row, request, partner, key, scheme):
        """It goes on, once, under the signer's name; gives what the upstream saw."""
        seen = self.countersign.upstream.seen
        before = len(seen)
        answer = self.send(request)
        self.assertEqual(answer.status, 200, (answer.body, request.bytes()))
        self.assertEqual(len(seen), before + 1)
        identity = [seen[-1].all(f"countersign-{name}") for name in ("partner", "key", "scheme")]
        self.assertEqual(identity, [[partner], [key], [scheme]])
        [trace] = answer.headers.get_all("countersign-trace")
        self.assertEqual(seen[-1].all("countersign-trace"), [trace])
        self.assertRegex(trace, "^[0-9A-Za-z-]{26,36}$")
        TABLE[row]["passed"] += 1
        return seen[-1]

    def refused(self, row, what, request, codes=REFUSALS):
        """It does not go on, and the answer is the sender's fault."""
        before = len(self.countersign.upstream.seen)
        answer = self.send(request)
        self.assertEqual(len(self.countersign.upstream.seen), before, f"{what} reached the upstream")
        self.assertIn(answer.code(), codes, (what, answer.status, answer.body))
        self.assertEqual(answer.status, REFUSALS[answer.code()], what)
        TABLE[row]["refused"] += 1

    def replayed(self, row, what, request):
        before = len(self.countersign.upstream.seen)
        answer = self.send(request)
        self.assertEqual((answer.status, answer.code()), (401, "replayed"), (what, answer.body))
        self.assertEqual(len(self.countersign.upstream.seen), before, f"{what} reached the upstream again")
        TABLE[row]["replayed"] += 1

"""Runs every suite beside this file against the binary that it is given, and prints what was seen."""

import collections
import pathlib
import sys
import unittest

import binary
import case


def main():
    [path] = sys.argv[1:]
    binary.PATH = pathlib.Path(path).resolve(strict=True)
    suites = unittest.defaultTestLoader.discover(str(pathlib.Path(__file__).parent), pattern="test_*.py")
    result = unittest.TextTestRunner(verbosity=2).run(suites)
    columns = ["passed", "refused", "replayed"]
    print(f"\n{'':44}" + "".join(f"{column:>10}" for column in columns))
    for row, counts in sorted(case.TABLE.items()):
        print(f"{row:44}" + "".join(f"{counts[column]:>10}" for column in columns))
    total = sum(case.TABLE.values(), collections.Counter())
    print(f"{result.testsRun} tests; " + ", ".join(f"{total[column]} {column}" for column in columns))
    return 0 if result.wasSuccessful() and result.testsRun > 0 and not result.skipped else 1


if __name__ == "__main__":
    sys.exit(main())

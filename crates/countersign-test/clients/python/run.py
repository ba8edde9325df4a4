"""Runs every suite beside this file against the binary that it is given, and prints what was seen."""

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
    case.print_table(f"{result.testsRun} tests; ")
    return 0 if result.wasSuccessful() and result.testsRun > 0 and not result.skipped else 1


if __name__ == "__main__":
    sys.exit(main())

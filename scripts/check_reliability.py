#!/usr/bin/env python3
"""Checks docs/RELIABILITY.md: every number is listed once, and every test it names exists.

Usage: check_reliability.py [ROOT]        exit 1 with file:line messages
       check_reliability.py --self-test   proves that each rule can fail
"""
import ast
import pathlib
import re
import sys
import tempfile

COUNTS = {"R": 28, "S": 17, "C": 16, "L": 17, "A": 13}
NUMBERS = [f"{letter}{n}" for letter, count in COUNTS.items() for n in range(1, count + 1)]

DOC = "docs/RELIABILITY.md"
ROW = re.compile(r"^\| ([A-Z]\d+) \|.*\| ([^|]*) \|$")
GTEST = re.compile(r"\b(?:TYPED_)?TEST(?:_F|_P)?\(\s*(\w+)\s*,\s*(\w+)\s*\)")


def unit_tests(root):
    """Names of all GoogleTest tests. Suites that run against several engines stand in headers."""
    files = [*root.glob("src/**/*_test.cc"), *root.glob("src/**/*_test.h"), *root.glob("tests/**/*_test.cc")]
    return {f"{suite}.{test}" for path in files for suite, test in GTEST.findall(path.read_text())}


def has_black_box_test(root, name):
    file, _, test = name.partition("::")
    if not (root / file).is_file():
        return False
    class_name, _, method = test.partition(".")
    for node in ast.parse((root / file).read_text()).body:
        if isinstance(node, ast.ClassDef) and node.name == class_name:
            return any(isinstance(f, ast.FunctionDef) and f.name == method for f in node.body)
    return False


def check(root):
    """What is wrong, and how many numbers have a test."""
    units = unit_tests(root)
    problems, seen, proved = [], [], 0
    for line_number, line in enumerate((root / DOC).read_text().splitlines(), 1):
        row = ROW.match(line)
        if not row:
            continue
        number, cell = row.groups()
        seen.append(number)
        names = re.findall(r"`([^`]+)`", cell)
        proved += bool(names)
        if not names and cell != "not yet":
            problems.append(f'{DOC}:{line_number}: {number} names no test; write `Suite.Name` or "not yet"')
        for name in names:
            if not (has_black_box_test(root, name) if "::" in name else name in units):
                problems.append(f"{DOC}:{line_number}: {number}: no such test: {name}")
    problems += [f"{DOC}:1: {number} is missing" for number in NUMBERS if number not in seen]
    problems += [f"{DOC}:1: {n} is no number of ours, or stands twice" for n in seen if n not in NUMBERS or seen.count(n) > 1]
    return problems, proved


def self_test():
    def run(row):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name in ("docs", "src/base", "tests/blackbox"):
                (root / name).mkdir(parents=True)
            (root / "src/base/a_test.cc").write_text("TEST(Suite, Name) {}\nTYPED_TEST(Store,\n    Keeps) {}\n")
            (root / "tests/blackbox/a.py").write_text("class A:\n    def test_b(self):\n        pass\n")
            rows = [row if n == "R1" else f"| {n} | x | not yet |" for n in NUMBERS]
            (root / DOC).write_text("\n".join(rows))
            return " ".join(check(root)[0])

    cases = [  # row of R1, part of the message; "" for none
        ("| R1 | x | not yet |", ""),
        ("| R1 | a \\| b | `Suite.Name`, `Store.Keeps`, over TLS not yet |", ""),
        ("| R1 | x | `tests/blackbox/a.py::A.test_b` |", ""),
        ("", "R1 is missing"),
        ("| R1 | x | not yet |\n| R1 | x | not yet |", "R1 is no number of ours, or stands twice"),
        ("| R1 | x | not yet |\n| R29 | x | not yet |", "R29 is no number"),
        ("| R1 | x | `Suite.Other` |", "no such test: Suite.Other"),
        ("| R1 | x | `tests/blackbox/a.py::A.test_c` |", "no such test"),
        ("| R1 | x | `tests/blackbox/a.py::B.test_b` |", "no such test"),
        ("| R1 | x | `tests/blackbox/b.py::A.test_b` |", "no such test"),
        ("| R1 | x | soon |", "R1 names no test"),
    ]
    for row, message in cases:
        found = run(row)
        if message not in found or bool(found) != bool(message):
            yield f"{row!r}: expected {message!r}, found {found!r}"


def main():
    if sys.argv[1:] == ["--self-test"]:
        problems, done = list(self_test()), "the rules can fail"
    else:
        root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else __file__).resolve()
        root = root if root.is_dir() else root.parent.parent
        problems, proved = check(root)
        done = f"{len(NUMBERS)} numbers: {proved} with tests, {len(NUMBERS) - proved} not yet"
    for problem in problems:
        print(problem)
    if not problems:
        print(done)
    sys.exit(1 if problems else 0)


main()

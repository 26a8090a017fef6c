"""What the documents name is there."""

import re

from conftest import ROOT


def test_the_tests_that_hold_hard_inputs_are_there():
    text = (ROOT / "docs/hard_inputs.md").read_text(encoding="utf-8")
    named = re.findall(r"\| `(\w+): (\w+)` \|$", text, re.MULTILINE)
    rows = [line for line in text.splitlines() if line.startswith("|") and not line.startswith(("| input", "|---"))]
    assert len(named) == len(rows) > 80
    for file, name in named:
        tests = re.findall(r"^def test_(\w+)", (ROOT / f"tests/test_{file}.py").read_text(encoding="utf-8"), re.M)
        assert sum(test.startswith(name) for test in tests) == 1 or name in tests, (file, name)

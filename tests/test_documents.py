"""What the documents name is there."""

import re
import tomllib

from conftest import ROOT

from historynet.extras import EXTRAS


def test_the_tests_that_hold_hard_inputs_are_there():
    text = (ROOT / "docs/hard_inputs.md").read_text(encoding="utf-8")
    named = re.findall(r"\| `(\w+): (\w+)` \|$", text, re.MULTILINE)
    rows = [line for line in text.splitlines() if line.startswith("|") and not line.startswith(("| input", "|---"))]
    assert len(named) == len(rows) > 80
    for file, name in named:
        tests = re.findall(r"^def test_(\w+)", (ROOT / f"tests/test_{file}.py").read_text(encoding="utf-8"), re.M)
        assert sum(test.startswith(name) for test in tests) == 1 or name in tests, (file, name)


def test_the_extras_that_messages_and_documents_name_are_there():
    """Pip installs nothing for one that is not, with a warning alone."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    pages = [ROOT / "README.md", ROOT / "Makefile", *(ROOT / "docs").glob("*.md")]
    named = set(EXTRAS.values())
    for path in (*pages, *(ROOT / "historynet").rglob("*.py"), *(ROOT / "benchmarks").glob("*.py")):
        for several in re.findall(r"pip install (?:-e )?'\.\[([a-z,-]+)\]'", path.read_text(encoding="utf-8")):
            named |= set(several.split(","))
    assert {"cluster", "export", "mhmd", "web"} <= named
    assert named <= extras.keys()
    # What was documented before.
    assert extras["mhmd-ray"] == ["historynet[mhmd,cluster]"]

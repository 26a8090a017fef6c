"""Behind each constant of a config.py stands what it means, in the words with which --help begins."""

import dataclasses
import io
import re
import tokenize

import pytest
from conftest import ROOT

from historynet.collecting.settings import MHMDSettings

CONFIGS = sorted(
    f"{path.parent.name}/{path.name.removesuffix('dataclass.py')}config.py" for path in ROOT.glob("*/*dataclass.py")
)
"""Of the trainers; where several share a folder the names have a prefix."""


def constants_and_comments(text):
    """Name -> the comment at the end of its line, of each constant assigned at the top level; None if there is none."""
    comments, line = {}, []
    layout = (tokenize.NL, tokenize.COMMENT, tokenize.INDENT, tokenize.DEDENT)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NEWLINE:
            if len(line) > 1 and line[0].string.isupper() and line[0].start[1] == 0 and line[1].string == "=":
                last = line[-1]
                comments[line[0].string] = last.string if last.type == tokenize.COMMENT else None
            line = []
        elif token.type not in layout or (token.type == tokenize.COMMENT and line):
            line.append(token)
    return comments


def test_the_reader_of_comments():
    text = '''"""A page."""
# Above
FIRST = 1  # of one
SECOND = {
    "a": 1,  # not this one
    "b": 2,
}  # behind the end
THIRD = "# no comment"
if FIRST:
    INNER = 2  # not at the top

'''
    assert constants_and_comments(text) == {"FIRST": "# of one", "SECOND": "# behind the end", "THIRD": None}


def test_all_systems_are_looked_at():
    folders = {config.split("/")[0] for config in CONFIGS}
    assert {"SOURCE_HistoryNet", "SOURCE_Parsing", "SOURCE_Classifier", "Baseline", "SOURCE_MHMD"} <= folders


@pytest.mark.parametrize("config", CONFIGS)
def test_a_comment_of_a_few_words_stands_behind_each_constant_and_is_the_helps(config, run, monkeypatch):
    # No line of --help is broken.
    monkeypatch.setenv("COLUMNS", "10000")
    folder, name = config.split("/")
    prefix = name.removesuffix("config.py")
    # Those that read it.
    texts = {path.name: path.read_text("utf-8") for path in sorted((ROOT / folder).glob("*.py"))}
    reading = (name for name, text in texts.items() if "main(__file__" in text)
    scripts = [f"{folder}/{name}" for name in reading if not prefix or f'prefix="{prefix}"' in texts[name]]
    helps = [" ".join(run(script, "--help")[1].split()) for script in scripts]
    comments = constants_and_comments((ROOT / config).read_text(encoding="utf-8"))
    assert {"TEST_NAME", "BATCH_SIZE", "MODEL_DIR"} <= set(comments)
    wrong = []
    for name, comment in comments.items():
        words = (comment or "").removeprefix("# ")
        option = name.lower().replace("_", "-")
        # What further there is to say stands behind a semicolon.
        shown = re.compile(rf"--(no-)?{option}( [A-Z]+)? {re.escape(words)}(; | \(default: )")
        if not 2 <= len(words.split()) <= 12:
            wrong.append(f"{name}: 2 to 12 words, not {comment!r}")
        elif not any(shown.search(text) for text in helps):
            wrong.append(f"{name}: --help does not begin with {words!r}")
    assert not wrong, "\n".join(wrong)


def test_the_comments_of_what_builds_data_sets_are_what_its_settings_mean():
    """Its constants are options of several programs, each of which reads some."""
    comments = constants_and_comments((ROOT / "SOURCE_MHMD/config.py").read_text(encoding="utf-8"))
    meanings = {field.name.upper(): field.metadata["meaning"] for field in dataclasses.fields(MHMDSettings)}
    assert {name: (comment or "").removeprefix("# ") for name, comment in comments.items()} == meanings
    assert all(2 <= len(meaning.split()) <= 12 for meaning in meanings.values())

"""The standard streams of a command: closed, read by nobody any more, no terminal; and what libraries say there."""

import errno
import importlib
import os
import pty
import re
import subprocess
import sys

import pytest
from conftest import ROOT, write_picture

from historynet import extras, streams
from historynet.commands import running

SAYING = """
import logging, os, sys, warnings
from historynet import streams
from historynet.commands import running
from historynet.commands import running

def command(argv):
    with streams.Progress(2, "picture") as bar:
        bar.update(1)
        opened = open({file!r}, "w")
        for i in range(5):
            print("a word", flush=True)
            print("a warning", file=sys.stderr, flush=True)
        warnings.warn("a library's")
        logging.getLogger("library").warning("a library's")
        os.write(2, b"from C")
        bar.update(1)
    opened.write("done")
    return 3

running.run(command)
"""


def start(tmp_path, redirections, *arguments):
    """Runs SAYING in a shell: (exit code, standard output, standard error)."""
    script = tmp_path / "saying.py"
    script.write_text(SAYING.format(file=str(tmp_path / "file")))
    command = f'"$0" "$@" {redirections}'
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}", sys.executable, script, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("closed", ["2>&-", ">&-", ">&- 2>&-", "<&- >&- 2>&-", "| true", "2>&1 | true", "<&-"])
def test_what_becomes_of_the_streams_changes_nothing_of_the_work(tmp_path, closed):
    code, out, err = start(tmp_path, closed)
    assert code == 3
    # What is closed is nobody's file: nothing of what is printed goes into it.
    assert (tmp_path / "file").read_text() == "done"
    assert "Traceback" not in out + err
    assert "a warning" not in out or "2>&1" in closed


@pytest.mark.parametrize(("name", "gone"), [("pipe", True), ("terminal", True), ("file", False)])
def test_an_error_of_a_disk_is_no_reader_that_went(tmp_path, name, gone):
    if name == "file":
        descriptors = [os.open(tmp_path / "log", os.O_CREAT | os.O_WRONLY)]
    else:
        descriptors = list(os.pipe() if name == "pipe" else pty.openpty())
    writer = descriptors.pop()
    for other in descriptors:
        os.close(other)
    try:
        assert streams._is_gone(OSError(errno.EIO, os.strerror(errno.EIO)), writer) == gone
        assert not streams._is_gone(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), writer)
        with streams.open_lasting(writer) as stream:
            stream.write("nobody\n")
            stream.write("reads this\n")
    finally:
        os.close(writer)


def test_what_libraries_warn_of_is_shown_with_debug_alone(tmp_path):
    assert "a library's" not in start(tmp_path, "")[2]
    assert start(tmp_path, "", "--debug")[2].count("a library's") >= 2


def test_without_a_terminal_there_is_a_line_every_30_seconds_and_one_at_the_end(capsys, monkeypatch):
    now = 0
    monkeypatch.setattr(streams.time, "monotonic", lambda: now)
    with streams.Progress(100, "frame", "a.mp4") as bar:
        # An earlier run's.
        bar.update(40)
        for second in range(1, 76):
            now = second
            bar.update(second % 5 == 0)
    assert capsys.readouterr().err.splitlines() == [
        "a.mp4: 46 of 100 frames, 0.2 a second, 0:04:30 left",
        "a.mp4: 52 of 100 frames, 0.2 a second, 0:04:00 left",
        "a.mp4: 55 of 100 frames in 0:01:15",
    ]


def test_an_estimate_counts_no_more_when_all_is_done(capsys, monkeypatch):
    with streams.Progress(37, "frame", about=True) as bar:
        bar.update(24)
    with pytest.raises(OSError), streams.Progress(37, "frame", about=True) as bar:
        bar.update(24)
        raise OSError
    assert capsys.readouterr().err == "24 frames in 0:00:00\n24 of about 37 frames in 0:00:00\n"
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with streams.Progress(37, "frame", about=True) as bar:
        bar.update(24)
    assert re.search(r"100%.* 24/24 \[[^\r]*$", capsys.readouterr().err)
    with pytest.raises(OSError), streams.Progress(37, "frame", about=True) as bar:
        bar.update(24)
        raise OSError
    assert re.search(r"65%.* 24/37 \[[^\r]*$", capsys.readouterr().err)


def test_of_what_nobody_knows_the_number_there_is_a_last_line_too(capsys):
    with pytest.raises(OSError), streams.Progress(None, "frame") as bar:
        bar.update(3)
        raise OSError
    assert capsys.readouterr().err == "3 frames in 0:00:00\n"


def test_a_picture_is_colorized_whose_last_words_nobody_hears(model, tmp_path):
    write_picture(tmp_path / "a.png")
    command = [sys.executable, ROOT / "SOURCE_HistoryNet/colorization.py", "--gpu-id", "cpu", "--pretrained", model]
    command += ["--result-dir", tmp_path / "out", tmp_path / "a.png"]
    done = subprocess.run(["bash", "-c", '"$0" "$@" 2>&-', *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == f"1 colorized into {tmp_path / 'out'}, 0 skipped"
    assert (tmp_path / "out/a_reconstructed.jpg").is_file()


def test_what_is_not_installed_is_named_with_what_to_do(capsys, monkeypatch):
    def command(argv):
        import a_library_that_nobody_has  # noqa: F401

    monkeypatch.setattr(sys, "argv", ["x"])
    with pytest.raises(SystemExit) as end:
        running.run(command)
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith("error: No module named 'a_library_that_nobody_has': `make setup`, then")

    for module, extra in extras.EXTRAS.items():
        monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(SystemExit) as end:
            running.run(lambda argv, module=module: importlib.import_module(module))
        assert end.value.code == 2
        words = f"error: {module} is not installed: pip install '.[{extra}]' in the project's folder\n"
        assert capsys.readouterr().err == words

    def broken(argv):
        import historynet.nothing  # noqa: F401

    with pytest.raises(ModuleNotFoundError):
        running.run(broken)

"""Files: complete or not there at all, JSON with a user's error, one process in a folder."""

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

from historynet import errors, files, locks
from historynet.errors import BusyError, InputError, PictureError


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_file_is_replaced_and_its_folder_is_made(tmp_path):
    path = tmp_path / "a/b/c.txt"
    for text in ("one", "zwei ü"):
        files.write_text(path, text)
        assert path.read_bytes() == text.encode()
    assert list(path.parent.iterdir()) == [path]


def test_the_temporary_name_keeps_the_extension_and_is_hidden(tmp_path):
    names = []

    def write(temporary):
        names.append(temporary)
        temporary.write_bytes(b"")

    files.write_atomically(tmp_path / "a.png", write)
    assert names[0].parent == tmp_path
    assert names[0].suffix == ".png"
    assert names[0].name.startswith(".")


def test_a_full_disk_leaves_what_was_there(tmp_path):
    """/dev/full is a disk without a free byte."""
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    def write(temporary):
        temporary.symlink_to("/dev/full")
        temporary.write_bytes(b"new")

    with pytest.raises(InputError, match=rf"^{path}: cannot be written \(No space left on device\)") as end:
        files.write_atomically(path, write)
    assert not isinstance(end.value, PictureError)
    assert isinstance(end.value.__cause__, OSError)
    assert contents(tmp_path) == {"a.bin": b"old"}


@pytest.mark.parametrize("error", [ValueError("a bug"), InputError("ours"), KeyboardInterrupt()])
def test_what_else_ends_a_write_passes_as_it_is_and_leaves_nothing_behind(tmp_path, error):
    def write(temporary):
        temporary.write_bytes(b"half")
        raise error

    with pytest.raises(type(error)) as end:
        files.write_atomically(tmp_path / "a.bin", write)
    assert end.value is error
    assert contents(tmp_path) == {}


def test_a_name_that_is_too_long_is_that_files_fault_alone(tmp_path):
    with pytest.raises(PictureError, match="File name too long"):
        files.write_text(tmp_path / ("x" * 252 + ".txt"), "")
    assert contents(tmp_path) == {}


def test_a_place_where_nothing_can_be_written_is_named(tmp_path):
    """As root, too: nobody makes files in /proc, nor below a file."""
    (tmp_path / "file").write_text("")
    for folder in (Path("/proc/self"), Path("/proc/none"), tmp_path / "file", tmp_path / "file/below"):
        with pytest.raises(InputError, match=rf"^{folder}: cannot be written to \(.+\)$"):
            files.make_folder(folder)
        with pytest.raises(InputError, match=rf"^{folder}/a.txt: cannot be written \(.+\)$"):
            files.write_text(folder / "a.txt", "")
        with pytest.raises(InputError, match=rf"^{folder}: cannot be written to \(.+\)$"), locks.lock(folder, ""):
            pytest.fail("locked")
    assert contents(tmp_path) == {"file": b""}


def test_a_folder_is_made_and_nothing_is_left_in_it(tmp_path):
    for _ in range(2):
        files.make_folder(tmp_path / "a/b")
    assert contents(tmp_path / "a/b") == {}


@pytest.mark.parametrize("content", [{"a": [1, 2.5, None, "grün 照片"]}, {"name": os.fsdecode(b"caf\xe9.jpg")}, {}])
def test_json_comes_back_as_it_was(tmp_path, content):
    """File names of another encoding included: Python keeps their bytes as lone surrogates, which UTF-8 has not."""
    files.write_json(tmp_path / "a.json", content)
    assert files.read_json(tmp_path / "a.json", dict, "-") == content
    text = (tmp_path / "a.json").read_bytes().decode()
    assert json.loads(text) == content
    assert "照片" in text or "照片" not in str(content)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b'{"a": 1} trailing',
        b"\xff\xfe\x00",
        b"\x89PNG\r\n\x1a\n" + bytes(100),
        b"[" * 200_000,
        b"1" * 5000,
        b"[1, 2]",
        b"null",
    ],
)
def test_what_is_not_the_json_that_is_wanted_is_refused_in_the_callers_words(tmp_path, content):
    path = tmp_path / "settings.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"^{path}: not the settings of a run$"):
        files.read_json(path, dict, "not the settings of a run")
    assert path.read_bytes() == content


def test_json_is_read_of_files_alone_and_up_to_a_size(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(b" " * ((16 << 20) - 2) + b"{}")
    assert files.read_json(path, dict, "damaged") == {}
    with path.open("ab") as file:
        file.truncate(100 << 30)
    with pytest.raises(InputError, match=r"a.json: longer than 16 MB"):
        files.read_json(path, dict, "damaged")
    path.unlink()
    os.mkfifo(path)
    # Nobody writes into it.
    with pytest.raises(InputError, match=r"a.json: not a regular file"):
        files.read_json(path, dict, "damaged")


def test_json_that_cannot_be_read_is_not_called_damaged(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    with pytest.raises(InputError, match=r"a.json: cannot be read \(No such file or directory\)"):
        files.read_json(path, dict, "damaged")
    path.mkdir()
    with pytest.raises(InputError, match=r"a.json: cannot be read \(Is a directory\)"):
        files.read_json(path, dict, "damaged")

    def no_memory(path, kind):
        raise MemoryError

    path.rmdir()
    monkeypatch.setattr(files, "open_regular", no_memory)
    with pytest.raises(InputError, match=r"a.json: cannot be read \(there is not enough memory\)"):
        files.read_json(path, dict, "damaged")


HOLD = """
import sys, time
from pathlib import Path
from historynet import locks
with locks.lock(Path(sys.argv[1]), "taken"):
    print("locked", flush=True)
    time.sleep(60)
"""


def test_a_folder_is_anothers_until_that_is_killed(tmp_path):
    folder = tmp_path / "run"
    with subprocess.Popen([sys.executable, "-c", HOLD, folder], cwd=ROOT, stdout=subprocess.PIPE, text=True) as other:
        try:
            assert other.stdout.readline() == "locked\n"
            with (
                pytest.raises(BusyError, match=rf"^{folder}: another works there$"),
                locks.lock(folder, "another works there"),
            ):
                pytest.fail("locked twice")
        finally:
            other.send_signal(signal.SIGKILL)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(2):
        with locks.lock(folder, "-"), pytest.raises(BusyError), locks.lock(folder, "-"):
            pytest.fail("locked twice")
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert contents(folder) == {}


def test_the_lock_of_a_folder_that_its_owner_just_removed_is_not_taken_for_the_next_ones(tmp_path, monkeypatch):
    """Its owner is done between our opening and our locking, and a third process makes and locks it anew."""
    folder, flock, owners = tmp_path / "run", fcntl.flock, []

    def remove_first(handle, operation):
        if not owners:
            folder.rmdir()
            owners.append(None)
            # The third process.
            folder.mkdir()
            owners[0] = os.open(folder, os.O_RDONLY)
            flock(owners[0], operation)
        flock(handle, operation)

    monkeypatch.setattr(fcntl, "flock", remove_first)
    with pytest.raises(BusyError), locks.lock(folder, "-"):
        pytest.fail("locked what the third process has locked")
    os.close(owners[0])
    with locks.lock(folder, "-"):
        pass


@pytest.mark.parametrize("gone", ["before it is opened", "before it is locked"])
def test_a_folder_that_its_owner_just_removed_is_made_again(tmp_path, monkeypatch, gone):
    module, name = (os, "open") if gone == "before it is opened" else (fcntl, "flock")
    folder, real, removed = tmp_path / "run", getattr(module, name), []

    def remove_first(*arguments, **options):
        if not removed and folder.exists():
            removed.append(folder.rmdir())
        return real(*arguments, **options)

    monkeypatch.setattr(module, name, remove_first)
    with locks.lock(folder, "-"):
        assert removed
        (folder / "a.txt").write_text("")
        with pytest.raises(BusyError), locks.lock(folder, "-"):
            pytest.fail("locked twice")


def test_who_is_kept_out_leaves_nothing_in_the_folder(tmp_path):
    """The owner may be removing it."""
    with locks.lock(tmp_path, "-"):
        before = tmp_path.stat().st_mtime_ns
        with pytest.raises(BusyError), locks.lock(tmp_path, "-"):
            pytest.fail("locked twice")
        assert tmp_path.stat().st_mtime_ns == before


def test_a_folder_that_cannot_be_read_is_not_an_empty_one(tmp_path):
    assert files.list_folder(tmp_path) == files.list_folder(tmp_path / "none") == []
    loop, file = tmp_path / "loop", tmp_path / "file"
    loop.symlink_to(loop)
    file.touch()
    assert sorted(files.list_folder(tmp_path)) == [file, loop]
    for path, words in ((loop, "Too many levels of symbolic links"), (file, "Not a directory")):
        for use in (files.list_folder, files.remove_unfinished):
            with pytest.raises(InputError, match=rf"^{path}: cannot be read \({words}\)"):
                use(path)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.EBADF])
def test_a_file_system_without_locks_keeps_nobody_out(tmp_path, monkeypatch, number):
    def refuse(handle, operation):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with locks.lock(tmp_path, "-"), locks.lock(tmp_path, "-"):
        pass


def test_another_failure_of_a_lock_is_not_taken_for_such_a_file_system(tmp_path, monkeypatch):
    def refuse(handle, operation):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with (
        pytest.raises(InputError, match=rf"^{tmp_path}: cannot be locked \(Input/output error\)"),
        locks.lock(tmp_path, "-"),
    ):
        pytest.fail("locked")


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path):
    kill = "import os, sys; from pathlib import Path; from historynet import files\n"
    kill += "files.write_atomically(Path(sys.argv[1]), lambda t: (t.write_bytes(b'half'), os.kill(os.getpid(), 9)))"
    result = subprocess.run([sys.executable, "-c", kill, tmp_path / "a.bin"], cwd=ROOT, check=False)
    assert result.returncode == -signal.SIGKILL
    (tmp_path / ".hidden").write_bytes(b"somebody's")
    (left,) = (content for name, content in contents(tmp_path).items() if name != ".hidden")
    assert left == b"half"
    files.remove_unfinished(tmp_path)
    assert contents(tmp_path) == {".hidden": b"somebody's"}
    files.remove_unfinished(tmp_path / "none")


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name, words in (("pipe", "not a regular file"), ("none", "cannot be read \\(No such file")):
        with pytest.raises(PictureError, match=f"{name}: {words}"):
            files.open_regular(tmp_path / name)


def test_a_translated_error_keeps_its_cause_and_ours_pass():
    def translate(error):
        return InputError(f"a.txt: {errors.reason(error)}")

    with pytest.raises(InputError, match="a.txt: 'key'") as end, errors.translated((KeyError, OSError), translate):
        raise KeyError("key")
    assert isinstance(end.value.__cause__, KeyError)
    ours = PictureError("ours")
    with pytest.raises(PictureError) as end, errors.translated(Exception, translate):
        raise ours
    assert end.value is ours
    other = ValueError("of another kind")
    with pytest.raises(ValueError, match="another kind") as end, errors.translated((KeyError, OSError), translate):
        raise other
    assert end.value is other


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.EIO, "Input/output error", "a.txt"), "Input/output error"),
        (OSError("broken data stream"), "broken data stream"),
        (MemoryError(), "there is not enough memory"),
        (ValueError(), "ValueError"),
        (ValueError("two\nlines  here"), "two lines here"),
        (ValueError("x" * 1000), "x" * 200),
    ],
)
def test_a_reason_is_one_line_that_says_something(error, words):
    assert errors.reason(error) == words

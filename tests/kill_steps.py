"""Kills a step of the data set builder again and again: `python tests/kill_steps.py collect --kills 20`.

SIGKILL comes at random moments, one of four while the program starts, the others while it works; the same command then
goes on. When a run ends before its kill, all that it made is compared with what a run gives that was never killed, byte
for byte, and the next one begins with nothing.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import cv2
import kept_pictures
import mhmd_films
from conftest import ROOT

FILMS, SHARD = 8, 16

_WITH_SMALL_SHARDS = """
import runpy, sys
from historynet.collecting import predicting
predicting.SHARD = {shard}
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


class Step(NamedTuple):
    """A program that is killed.

    Attributes:
        make: makes what it reads into a new folder.
        command: what Python is given, by that folder and WORK.
        done: counts what it has finished, in WORK.
    """

    make: Callable[[Path], None]
    command: Callable[[Path, Path], Sequence[object]]
    done: Callable[[Path], int]


def make_films(folder: Path) -> None:
    """Films of two shots with a person, half of them with bars."""
    for number in range(FILMS):
        rgb = cv2.convertScaleAbs(mhmd_films.person(), alpha=1, beta=5 * number)
        shots = [("kept", rgb, 30 + 5 * number), ("gray", mhmd_films.gray(rgb), 20)]
        mhmd_films.make_film(folder / f"{number}.mp4", shots, bars=40 * (number % 2))
    mhmd_films.write_list(folder / "films.csv", *({"key": f"f{i}", "path": f"{i}.mp4"} for i in range(FILMS)))


def collecting(inputs: Path, work: Path) -> Sequence[object]:
    """The command of collect.py, in two processes."""
    return ROOT / "SOURCE_MHMD/collect.py", inputs / "films.csv", "--work", work, "--workers", 2


def make_labelled(folder: Path) -> None:
    """Kept pictures, and a labeller that nobody has trained."""
    kept_pictures.make_work(folder / "work", 200)
    kept_pictures.make_labeller(folder / "labeller.keras")


def labelling(inputs: Path, work: Path) -> Sequence[object]:
    """The command of `label.py rest`, in shards of few pictures."""
    if not work.exists():
        shutil.copytree(inputs / "work", work)
    program = ["-c", _WITH_SMALL_SHARDS.format(shard=SHARD), ROOT / "SOURCE_MHMD/label.py", "rest", "--work", work]
    return *program, "--labeller", inputs / "labeller.keras", "--gpu-id", "cpu"


STEPS = {
    "collect": Step(make_films, collecting, lambda work: len(list(work.glob("frames/*/record.json")))),
    "rest": Step(make_labelled, labelling, lambda work: len(list(work.glob("labels/predicted/*.csv")))),
}


def main() -> None:
    """Prints a line for each kill and the verdict; exit code 1 if anything differs."""
    parser = argparse.ArgumentParser(description="Kills a step of the data set builder again and again.")
    parser.add_argument("step", choices=STEPS)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(0 if kill(Path(folder), STEPS[arguments.step], arguments.kills, arguments.seed) else 1)


def kill(folder: Path, step: Step, kills: int, seed: int) -> bool:
    """Runs a step once without kills, then with them; whether all that was made is the same."""
    moments, work = random.Random(seed), folder / "killed"
    step.make(folder / "inputs")
    begin = time.monotonic()
    process = start(step, folder, folder / "whole")
    wait_for_work(process, folder / "whole")
    starting = time.monotonic() - begin
    assert process.wait() == 0, (folder / "stderr.txt").read_text()
    working = time.monotonic() - begin - starting
    expected = contents(folder / "whole")
    print(f"never killed: {starting:.1f} s until it works, then {working:.1f} s; {len(expected)} files", flush=True)
    done, rounds = 0, []
    while done < kills or not rounds:
        process = start(step, folder, work)
        moment, word = moments.uniform(0, starting), "the start"
        if done % 4:
            moment, word = moments.uniform(0, working), "its first file"
            wait_for_work(process, work)
        with suppress(subprocess.TimeoutExpired):
            process.wait(moment if done < kills else None)
        if process.poll() is None:
            done += 1
            process.kill()
            process.wait()
            wait_for_the_others(process)
            print(f"{done:4}  {moment:5.2f} s after {word}, {step.done(work)} done", flush=True)
            continue
        assert process.returncode == 0, (folder / "stderr.txt").read_text()
        rounds.append(contents(work) == expected)
        print(f"      a run ended: {'identical' if rounds[-1] else 'DIFFERENT'}", flush=True)
        shutil.rmtree(work)
    if work.exists():
        assert start(step, folder, work).wait() == 0
        rounds.append(contents(work) == expected)
        print(f"      the last run ended: {'identical' if rounds[-1] else 'DIFFERENT'}")
    return all(rounds)


def start(step: Step, folder: Path, work: Path) -> subprocess.Popen:
    """Starts a step, for the first time or again, in a group of processes of its own."""
    command = [sys.executable, *map(str, step.command(folder / "inputs", work))]
    with (folder / "stderr.txt").open("w") as file:
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=file, start_new_session=True)


def wait_for_work(process: subprocess.Popen, work: Path) -> None:
    """Waits until the process has written something."""
    before = seen(work)
    while seen(work) <= before and process.poll() is None:
        time.sleep(0.005)


def seen(work: Path) -> set[Path]:
    """The files that the work makes, unfinished ones as well."""
    return {path for folder in ("frames", "labels/predicted") for path in (work / folder).rglob("*.*")}


def wait_for_the_others(process: subprocess.Popen) -> None:
    """Waits until the processes have ended that a killed one had started; they do so by themselves."""
    end = time.monotonic() + 30
    with suppress(ProcessLookupError):
        while time.monotonic() < end:
            os.killpg(process.pid, 0)
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
        raise AssertionError("processes outlive the one that started them")


def contents(work: Path) -> dict[str, bytes]:
    """All files of WORK, unfinished ones as well; not how long a film took."""
    paths = (path for path in work.rglob("*") if path.is_file() and path.name != "timing.json")
    return {str(path.relative_to(work)): path.read_bytes() for path in paths}


if __name__ == "__main__":
    main()

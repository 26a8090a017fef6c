"""Many people before the page at once: errors, waiting times, memory, and whether each gets the right picture.

    python -m benchmarks.web_load [--clients 30] [--seconds 300] [--megapixels 12] [--quick]

Each client gives a picture, listens to the events until it is done, looks at both small copies, takes the result, and
begins again. Every result is compared, byte for byte, with what the command makes of the same picture.
"""

import contextlib
import json
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import httpx
import numpy as np

from benchmarks.measuring import ROOT
from historynet import errors
from historynet.commands import running
from historynet.errors import InputError
from historynet.settings import Parser

_PICTURES = 8
"""Different ones, in turns with different settings."""

_WANTED = ({}, {"strength": 0.6}, {"format": "png"}, {"borders": False})
_OPTIONS = ([], ["--strength", "0.6"], ["--format", "png"], ["--no-borders"])
"""What clients ask for, and the command's options for the same."""


@dataclass
class Tally:
    """What the clients met with.

    Attributes:
        requests: number of answers by status.
        errors: what went wrong: messages.
        waits: seconds from giving a picture to having its result.
        wrong: number of results that are not the command's.
        later: number of requests that were told to come again.
    """

    requests: Counter[int] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    wrong: int = 0
    later: int = 0


def make_pictures(folder: Path, megapixels: float) -> list[Path]:
    """Gray photographs of noise of all sizes, JPEG."""
    width = round((megapixels * 4e6 / 3) ** 0.5)
    size = (width, round(width * 3 / 4))
    paths = []
    for seed in range(_PICTURES):
        rng = np.random.default_rng(seed)
        picture = np.zeros(size[::-1], np.float32)
        for side in (8, 64, 512):
            picture += cv2.resize(rng.normal(0, 1, (side, side)).astype(np.float32), size) * 40 / side**0.3
        paths.append(folder / f"{seed}.jpg")
        gray = np.clip(picture + 128, 0, 255).astype(np.uint8)
        if not cv2.imwrite(str(paths[-1]), cv2.merge([gray] * 3)):
            raise InputError(f"{paths[-1]}: cannot be written")
    return paths


def make_expected(paths: Sequence[Path], folder: Path) -> dict[tuple[int, int], bytes]:
    """What the command makes of each picture with each of the settings."""
    expected = {}
    for number, options in enumerate(_OPTIONS):
        out = folder / f"expected{number}"
        _run("from historynet.commands.colorize import anywhere as main", *paths, "--result-dir", out, *options)
        for i, path in enumerate(paths):
            (result,) = out.glob(f"{path.stem}_*")
            expected[i, number] = result.read_bytes()
    return expected


def _run(imports: str, *arguments: object) -> None:
    command = [sys.executable, "-c", f"{imports}; main()", *map(str, arguments)]
    # One picture at a time: as one of several it can come out a level away.
    done = subprocess.run([*command, "--batch-size", "1"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InputError(f"the command ended with {done.returncode}: {done.stderr.strip()}")


@contextlib.contextmanager
def server(*options: str) -> Iterator[tuple[str, int]]:
    """A server in a process of its own: its address, and the number of the process."""
    command = [sys.executable, "-c", "from historynet.commands.web import main; main()", "--port", "0", *options]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        for line in process.stdout:
            if line.startswith("open http"):
                yield line.split()[1], process.pid
                break
        else:
            raise InputError(f"the server ended with {process.wait()}")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def status(number: int, name: str) -> float:
    """Gigabytes of a process, as of /proc."""
    lines = Path(f"/proc/{number}/status").read_text(encoding="ascii").splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 1e9


class Client:
    """Somebody before the page.

    Args:
        address: of the server.
        pictures: what is given.
        expected: what is to come, by the picture's number and that of the settings.
        tally: what is met with.
    """

    def __init__(
        self, address: str, pictures: Sequence[bytes], expected: Mapping[tuple[int, int], bytes], tally: Tally
    ):
        self._address, self._pictures, self._expected, self._tally = address, pictures, expected, tally

    def work(self, seed: int, until: float) -> None:
        """Gives one picture after the other until a time; what was begun is finished."""
        choose = random.Random(seed)
        with httpx.Client(base_url=self._address, timeout=600, trust_env=False) as self._http:
            self._ask("GET", "/")
            while time.monotonic() < until:
                try:
                    self._one(choose.randrange(len(self._pictures)), choose.randrange(len(_WANTED)))
                # Whatever it is: a client that ends unseen would make the rest look well.
                except Exception as error:
                    self._tally.errors.append(f"{type(error).__name__}: {error}")

    def _one(self, picture: int, settings: int) -> None:
        begin = time.monotonic()
        given = self._ask("POST", "/api/inputs", params={"name": "a.jpg"}, content=self._pictures[picture]).json()
        one = f"/api/inputs/{given['id']}"
        self._ask("GET", f"{one}/before", params={"side": 1024})
        result = self._ask("POST", f"{one}/colorize", json=_WANTED[settings]).json()["result"]
        self._await(result)
        self._ask("GET", f"/api/results/{result}/after", params={"side": 1024})
        data = self._ask("GET", f"/api/results/{result}/download").content
        self._tally.waits.append(time.monotonic() - begin)
        self._tally.wrong += data != self._expected[picture, settings]
        self._ask("DELETE", one)

    def _await(self, result: str) -> None:
        with self._http.stream("GET", "/api/events") as events:
            for line in events.iter_lines():
                said = json.loads(line[6:]) if line.startswith("data: ") else {}
                if said.get("result") == result and said["state"] not in ("queued", "working"):
                    if said["state"] != "done":
                        raise InputError(f"{said['state']}: {said.get('error')}")
                    return
        raise InputError("the stream of events ended")

    def _ask(self, method: str, path: str, **more: object) -> httpx.Response:
        while True:
            answer = self._http.request(method, path, **more)
            self._tally.requests[answer.status_code] += 1
            if answer.status_code != 503:
                break
            self._tally.later += 1
            time.sleep(float(answer.headers.get("retry-after", 5)))
        if answer.is_error:
            raise InputError(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer


def main(argv: Sequence[str]) -> int:
    """Prints what the clients met with."""
    parser = Parser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=running.between(int, 1, 1000), default=30, metavar="N")
    parser.add_argument("--seconds", type=running.between(float, 1, 1e5), default=300, metavar="N")
    parser.add_argument("--megapixels", type=running.between(float, 0.01, 200), default=12, metavar="N")
    parser.add_argument("--quick", action="store_true", help="only see that it runs")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    arguments = parser.parse_args(argv)
    if arguments.quick:
        arguments.clients, arguments.seconds, arguments.megapixels = 3, 5, 1
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder:
        paths = make_pictures(Path(folder), arguments.megapixels)
        expected = make_expected(paths, Path(folder))
        pictures = [path.read_bytes() for path in paths]
        with server() as (address, number):
            start, begin = status(number, "VmRSS"), time.monotonic()
            threads = [
                threading.Thread(
                    target=Client(address, pictures, expected, tally).work, args=(seed, begin + arguments.seconds)
                )
                for seed in range(arguments.clients)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            seconds, peak = time.monotonic() - begin, status(number, "VmHWM")
    _print(arguments.clients, arguments.megapixels, seconds, tally, start, peak)
    return errors.SKIPPED if tally.errors or tally.wrong or not tally.waits else errors.DONE


def _print(clients: int, megapixels: float, seconds: float, tally: Tally, start: float, peak: float) -> None:
    answers = ", ".join(f"{count} of {status}" for status, count in sorted(tally.requests.items()))
    print(f"{clients} clients with pictures of {megapixels:g} megapixels, {seconds:.0f} seconds")
    print(f"requests: {sum(tally.requests.values())} ({answers}); told to come again: {tally.later}")
    print(f"errors: {len(tally.errors)}")
    for message, count in Counter(tally.errors).most_common(10):
        print(f"  {count}x {message}")
    print(f"pictures: {len(tally.waits)}, {len(tally.waits) / seconds:.2f} a second; not the command's: {tally.wrong}")
    if tally.waits:
        shares = np.percentile(tally.waits, [50, 95, 100])
        print("from giving to having: " + "median {:.1f} s, 95% {:.1f} s, longest {:.1f} s".format(*shares))
    print(f"memory of the server: {start:.2f} GB before, {peak:.2f} GB at most")


if __name__ == "__main__":
    running.run(main)

"""The command `historynet-web`: the page in a browser, on this machine alone unless it is told otherwise."""

import argparse
import contextlib
import ipaddress
import resource
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from historynet import backend, errors, extras, locks, settings
from historynet.commands import running
from historynet.errors import InputError
from historynet.training.stopping import Stop
from historynet.web.limits import Limits

if TYPE_CHECKING:
    from historynet.web import serving

_PORT = 7860

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""Names of this machine for itself."""

_FOLDER = "historynet-web-"
"""What the name of a temporary folder begins with."""

_ENDED = "what was uploaded is removed"

_CONNECTIONS = 1000
"""At a time; more are told to come again later."""


def main() -> None:
    """The installed command; ends the process with one of the exit codes of `errors`."""
    running.run(_main)


def _main(argv: Sequence[str]) -> int:
    arguments = _parse(argv)
    listening = _listen(arguments.host, arguments.port)
    with listening:
        _check_installed()
        print(backend.start(arguments.gpu_id, engine=arguments.backend), flush=True)
        with backend.quiet(), _folder() as folder, Stop() as stop:
            server = _server(arguments, folder, listening)
            _greet(arguments.host, listening)
            # It has handlers of its own, and hands the signal on when all is removed.
            with stop.at_once(_ENDED):
                server.run(sockets=[listening])
    return errors.DONE


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = settings.Parser(
        prog="historynet-web", description="Colorizes pictures and films in a page in a browser.", allow_abbrev=False
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (default: %(default)s, this machine)")
    parser.add_argument(
        "--port", type=running.between(int, 0, 65535), default=_PORT, metavar="N", help="(default: %(default)s; 0: any)"
    )
    parser.add_argument(
        "--name",
        action="append",
        default=[],
        metavar="HOST",
        help="a name that it is asked for by besides, as of a server before it that forwards requests; can be repeated",
    )
    parser.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="FILE",
        help="a model to choose, the first by default; can be repeated (default: the shipped one, and the best of each "
        "folder in MODEL)",
    )
    parser.add_argument("--gpu-id", default="0", metavar="N", help="number of the GPU, or cpu (default: %(default)s)")
    running.add_backend(parser)
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error, and each request")
    limits = parser.add_argument_group("limits")
    for name, (kind, lowest, highest, meaning) in _LIMITS.items():
        limits.add_argument(
            settings.option(name),
            type=running.between(kind, lowest, highest),
            default=getattr(Limits, name),
            metavar="N",
            help=f"{meaning} (default: %(default)g)",
        )
    return parser.parse_args(argv)


_LIMITS = {
    "megabytes": (float, 0.001, 1e6, "of a file"),
    "megapixels": (float, 0.0001, 1000, "of a page of a picture"),
    "film_megapixels": (float, 0.0001, 1000, "of a film's frame"),
    "pages": (int, 1, 10_000, "of a document"),
    "film_seconds": (float, 1, 1e6, "of a film"),
    "inputs": (int, 1, 10_000, "files of a browser at a time"),
    "disk": (float, 0.001, 1e6, "gigabytes of uploads and results of all"),
    "memory": (float, 0.5, 1e6, "gigabytes that the server is to stay within; what would need more waits"),
    "at_once": (int, 1, 64, "results that are made at a time"),
    "keep_seconds": (float, 1, 1e7, "seconds for which a file is kept after it was last worked on"),
    "upload_seconds": (float, 1, 1e6, "seconds that an upload takes at most"),
}
"""Options of the same names as fields of `Limits`: type, lowest, highest, meaning."""


def _listen(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        InputError: if the address is none of this machine's, or the port is in use.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as error:
        raise InputError(f"--host {host}: {error.strerror or error}") from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        # Now, since a bound port can be bound again that nobody listens at.
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise InputError(f"--host {host} --port {port}: cannot be listened at ({error.strerror or error})") from error
    return listening


def _check_installed() -> None:
    """Sees that the libraries of the extra are there, before an engine is started.

    Raises:
        InputError: if they are not.
    """
    missing = [name for name in ("fastapi", "uvicorn") if not extras.is_installed(name)]
    if missing:
        needed = f"{extras.how_to_install(missing[0], 'tensorflow,web')} (jax in its place will do)"
        raise InputError(f"{' and '.join(missing)}: not installed; {needed}")


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """A temporary folder, locked while it is used; those that killed servers have left are removed."""
    place = Path(tempfile.gettempdir())
    for left in place.glob(f"{_FOLDER}*"):
        # Of another user, or of a server that runs: it stays.
        with contextlib.suppress(InputError, OSError), _locked(left):
            shutil.rmtree(left)
    folder = Path(tempfile.mkdtemp(prefix=_FOLDER))
    try:
        with _locked(folder):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _locked(folder: Path) -> contextlib.AbstractContextManager[None]:
    return locks.lock(folder, "another server uses it")


def _server(arguments: argparse.Namespace, folder: Path, listening: socket.socket) -> "serving.Server":
    """The server with its models loaded, ready to run.

    Raises:
        InputError: if a model will not do.
    """
    from PIL import Image

    from historynet.web import app, models, serving
    from historynet.web.service import Service

    # The limit of pixels is our own, checked before a picture is decoded.
    Image.MAX_IMAGE_PIXELS = None
    found, left_out = models.find(arguments.model, Path.cwd() / "MODEL")
    for reason in left_out:
        print(running.one_line(f"note: left out: {reason}"), file=sys.stderr)
    at_hand = models.Models(found)
    # What is wrong with it is said now, and the first picture need not wait.
    at_hand.load(at_hand.default)
    print(running.one_line(f"models: {', '.join(model.title for model in found)}"), flush=True)
    _allow_files()
    limits = Limits(**{name: getattr(arguments, name) for name in _LIMITS})
    service = Service(folder, at_hand, limits)
    hosts = _names(arguments.host, arguments.name)
    application = app.make(service, f"historynet_{listening.getsockname()[1]}", hosts)
    return serving.make(application, service, _CONNECTIONS, arguments.debug)


def _allow_files() -> None:
    """Lets this process have as many files open as the system lets it: each connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # That many are not needed, and some systems take no "unlimited".
    wanted = 16 * _CONNECTIONS if hard == resource.RLIM_INFINITY else min(hard, 16 * _CONNECTIONS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _names(host: str, further: Sequence[str]) -> tuple[str, ...]:
    """Names by which the server may be asked for; none: any.

    A name that is not known is another site's; where other machines come in, nobody knows by which.
    """
    if not further and not _is_loopback(host):
        return ()
    # By its own names this machine asks whether all is well.
    return (*_LOOPBACK, *([host] if _is_loopback(host) else []), *map(str.lower, further))


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _greet(host: str, listening: socket.socket) -> None:
    address, port = listening.getsockname()[:2]
    shown = f"[{address}]" if ":" in address else address
    if _is_loopback(host):
        print(f"open http://{shown}:{port}/ in a browser on this machine; Ctrl-C here ends", flush=True)
        return
    print(
        f"note: --host {host}: whoever can reach this machine can use the page at port {port}, without a password, and "
        "what is sent can be read on the way; put a server with both (HTTPS, a login) before it",
        file=sys.stderr,
        flush=True,
    )
    print(f"listening at http://{shown}:{port}/; Ctrl-C here ends", flush=True)

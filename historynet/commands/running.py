"""Every command line: arguments in, exit code out; options and messages that several of them share."""

import argparse
import logging
import sys
import traceback
import warnings
from collections.abc import Callable, Sequence

from historynet import backend, clusters, errors, extras, settings, streams
from historynet.errors import HistoryNetError, StoppedError

_OUT_OF_MEMORY = "out of memory; lower --batch-size, or train with a lower --width or --image-size"


def run(command: Callable[[Sequence[str]], int]) -> None:
    """Runs a command line: arguments -> exit code; ends the process with it, or with one line and the error's code.

    With --debug among the arguments an error's traceback is shown, too, and what libraries warn of. A defect of ours
    always shows its own.
    """
    argv = sys.argv[1:]
    streams.prepare()
    if "--debug" not in argv and not sys.warnoptions:
        # They name no file, and nothing that a user could do: our own messages do.
        warnings.simplefilter("ignore")
        logging.getLogger().addHandler(logging.NullHandler())
    try:
        code = command(argv)
    except KeyboardInterrupt:
        print("\ninterrupted; what was saved is kept", file=sys.stderr)
        code = errors.INTERRUPTED
    except ModuleNotFoundError as error:
        if not error.name or error.name.split(".")[0] == __name__.split(".")[0]:
            raise
        print(f"error: {_explain_missing(error)}", file=sys.stderr)
        code = errors.BAD_INPUT
    except (HistoryNetError, OSError, *_memory_errors()) as error:
        if _is_other_jax_error(error):
            raise
        if "--debug" in argv:
            traceback.print_exc()
        text, code = _explain(error)
        print(text if isinstance(error, StoppedError) else f"error: {text}", file=sys.stderr)
    sys.exit(code)


def _explain_missing(error: ModuleNotFoundError) -> str:
    """One line on a library that is not there: an extra of ours brings it, or the project itself."""
    module = error.name.split(".")[0] if error.name else ""
    if module in extras.EXTRAS:
        return f"{module} is not installed: {extras.how_to_install(module)}"
    return f"{error}: `make setup`, then `. .venv/bin/activate` (README.md, Try it)"


def _memory_errors() -> tuple[type[Exception], ...]:
    """The errors that can say that memory is not enough; an engine's only if somebody has imported it."""
    named = {"tensorflow": "ResourceExhaustedError", "jax": "JaxRuntimeError"}
    modules = {name: getattr(sys.modules.get(name), "errors", None) for name in named}
    return (MemoryError, *(getattr(module, named[name]) for name, module in modules.items() if module))


def _is_other_jax_error(error: Exception) -> bool:
    """Whether JAX, which has one class of errors for all, means something else than memory."""
    return type(error).__name__ == "JaxRuntimeError" and "RESOURCE_EXHAUSTED" not in str(error)


def _explain(error: Exception) -> tuple[str, int]:
    """One line for the user, and the exit code."""
    if isinstance(error, HistoryNetError):
        return one_line(str(error)), error.exit_code
    if isinstance(error, OSError):
        return one_line(f"{error.filename or 'a file'}: {error.strerror or error}"), errors.BAD_INPUT
    return _OUT_OF_MEMORY, errors.BAD_INPUT


def add_backend(parser: settings.Parser) -> None:
    """Adds the option --backend, which trainers and colorizers have as a setting; its value is for `backend`."""
    parser.add_argument(
        "--backend",
        choices=backend.CHOICES,
        default=backend.DEFAULT,
        help="engine that computes (default: KERAS_BACKEND of the environment, else TensorFlow, else JAX)",
    )


def add_cluster(parser: settings.Parser | argparse._ArgumentGroup, *other_names: str) -> None:
    """Adds the option --cluster; its value is an address for `clusters.Cluster`, or None."""
    parser.add_argument(
        "--cluster",
        *other_names,
        dest="cluster",
        nargs="?",
        const=clusters.HERE,
        metavar="ADDRESS",
        help="spread the work over the machines of the Ray cluster HOST:PORT, or 'auto'; alone: over processes here",
    )


def one_line(text: str) -> str:
    """A message with what a file's name may hold besides letters (line feeds, bytes that are no text) written out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def between(kind: type, lowest: float, highest: float) -> Callable[[str], float]:
    """What an option accepts that is a number in a range, ends included: argparse's `type`."""

    def number(text: str) -> float:
        value = kind(text)
        if not lowest <= value <= highest:
            raise ValueError
        return value

    number.__name__ = f"number from {lowest:g} to {highest:g}"
    return number

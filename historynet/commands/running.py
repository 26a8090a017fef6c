"""Every command line: arguments in, exit code out; options and messages that several of them share."""

import os
import sys
import traceback
from collections.abc import Callable, Sequence

from historynet import errors
from historynet.errors import HistoryNetError, StoppedError


def run(command: Callable[[Sequence[str]], int]) -> None:
    """Runs a command line: arguments -> exit code; ends the process with it, or with one line and the error's code."""
    argv = sys.argv[1:]
    try:
        code = command(argv)
    except HistoryNetError as error:
        if "--debug" in argv:
            traceback.print_exc()
        text = one_line(str(error))
        print(text if isinstance(error, StoppedError) else f"error: {text}", file=sys.stderr)
        code = error.exit_code
    except BrokenPipeError:
        # Whoever read our output has gone; Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = errors.BAD_INPUT
    except OSError as error:
        if "--debug" in argv:
            traceback.print_exc()
        print(f"error: {error.filename or 'a file'}: {error.strerror or error}", file=sys.stderr)
        code = errors.BAD_INPUT
    except KeyboardInterrupt:
        print("\ninterrupted; what was saved is kept", file=sys.stderr)
        code = errors.INTERRUPTED
    except Exception as error:
        # TensorFlow's error by its name: this module does not import it before it must.
        if not isinstance(error, MemoryError) and type(error).__name__ != "ResourceExhaustedError":
            raise
        print(
            "error: out of memory; lower --batch-size, or train with a lower --width or --image-size", file=sys.stderr
        )
        code = errors.BAD_INPUT
    sys.exit(code)


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

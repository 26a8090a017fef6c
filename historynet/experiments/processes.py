"""Scripts of the project run as processes of their own, as users run them."""

import signal
import subprocess
import sys


def run_script(*command: object) -> int:
    """Runs a Python script to its end, also when this process is told to stop: the script saves then.

    Args:
        command: the script's path and its arguments.

    Returns:
        The script's exit code; 128 and the signal's number if a signal ended it.
    """
    process = subprocess.Popen([sys.executable, *map(str, command)])
    # A terminal interrupts both of us; other signals come to us alone.
    handlers = {
        signal.SIGINT: signal.SIG_IGN,
        signal.SIGTERM: lambda number, frame: process.send_signal(number),
    }
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        code = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return code if code >= 0 else 128 - code

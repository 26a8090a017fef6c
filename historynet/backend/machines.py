"""The machines that train together, as the environment names them for either engine."""

import json
import os

from historynet.errors import InputError


def find_machines() -> tuple[list[str], int]:
    """The "HOST:PORT" of each worker, and the place of this one among them.

    Raises:
        InputError: if TF_CONFIG does not say which machines there are.
    """
    try:
        cluster = json.loads(os.environ["TF_CONFIG"])
        workers, task = cluster["cluster"]["worker"], cluster["task"]
        index = int(task["index"])
        is_valid = task["type"] == "worker" and 0 <= index < len(workers)
    except (KeyError, TypeError, ValueError):
        is_valid = False
    if not is_valid:
        raise InputError(
            "TF_CONFIG: --strategy multiworker needs it in the environment, as "
            '{"cluster": {"worker": ["HOST0:PORT", "HOST1:PORT"]}, "task": {"type": "worker", "index": 0}}'
        )
    return workers, index

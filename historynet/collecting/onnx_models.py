"""ONNX models through onnxruntime, in one thread, so that results do not depend on the machine's cores."""

from pathlib import Path
from typing import Any

from historynet import extras, files
from historynet.errors import InputError, reason, translated


def open_session(path: Path) -> Any:
    """An onnxruntime.InferenceSession of a file.

    Raises:
        InputError: if onnxruntime is not installed, or the file is not there or holds no ONNX model.
    """
    try:
        import onnxruntime
    except ImportError as error:
        how = extras.how_to_install("onnxruntime", "mhmd")
        raise InputError(f"{path}: needs onnxruntime, which is not installed: {how}") from error
    files.open_regular(path, InputError).close()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Its errors have no class in common but Exception.
    with translated(Exception, lambda error: InputError(f"{path}: not an ONNX model ({reason(error)})")):
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

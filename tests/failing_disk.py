"""A disk that cannot be read, as far as one process can play it."""

import builtins
import io


class FailingDisk(io.FileIO):
    """A file of which the system cannot read one part.

    Args:
        path: the file.
        part: offsets, without a gap.
        error: an equal one is raised there.
    """

    def __init__(self, path, part, error):
        super().__init__(path)
        self._part, self._error = part, error

    def readinto(self, buffer):
        start = self.tell()
        if start in self._part:
            raise self._fresh()
        # What stands before the part is read, as of a real disk.
        end = self._part.start if start < self._part.start else None
        return super().readinto(memoryview(buffer)[: end and end - start])

    def readall(self):
        if self.tell() < self._part.stop:
            raise self._fresh()
        return super().readall()

    def _fresh(self):
        # One that was raised holds on to whoever read: an HDF5 file that is open to the end of Python crashes it.
        return type(self._error)(*self._error.args)


def fail_where_read(monkeypatch, path, part, error):
    """Lets a part of a file fail, whoever opens it."""
    real = io.open

    def opened(file, mode="r", *arguments, **options):
        if mode == "rb" and str(file) == str(path):
            return io.BufferedReader(FailingDisk(path, part, error))
        return real(file, mode, *arguments, **options)

    monkeypatch.setattr(io, "open", opened)
    monkeypatch.setattr(builtins, "open", opened)

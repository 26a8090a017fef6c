"""Public repositories -> folders: the wanted paths of one commit, nothing else of them."""

import os
import shutil
import subprocess
import uuid
from pathlib import Path

from historynet import files
from historynet.errors import InputError, translated
from historynet.experiments.pool.sources import Part

ADDRESS = "https://github.com/{repository}"

_SECONDS = 3600
"""For one command of git: the largest of the repositories has some gigabytes."""


def fetch(part: Part, cache: Path) -> Path:
    """A folder with the wanted files of a repository's commit, fetched unless it is there.

    Git takes one commit without its history, and where the server can, only the files that are wanted. The folder gets
    its name when it is complete: a fetching that was stopped begins again with this repository only.

    Args:
        part: the repository, its commit, and which paths.
        cache: the folder of all fetched repositories.

    Raises:
        InputError: if there is no git, it cannot fetch, or the commit has no such path.
    """
    key = uuid.uuid5(uuid.NAMESPACE_URL, "\n".join(part.folders)).hex[:8]
    folder = cache / f"{part.repository.replace('/', '+')}@{part.commit[:12]}-{key}"
    if folder.is_dir():
        return folder
    unfinished = cache / f".unfinished-{folder.name}"
    _remove(unfinished)
    files.make_folder(unfinished)
    address = ADDRESS.format(repository=part.repository)

    def git(*command: str) -> None:
        _git(unfinished, f"{address}: commit {part.commit} cannot be fetched", *command)

    # The files come with the checkout, from a server that can send some of them alone.
    git("init", "--quiet")
    git("remote", "add", "origin", address)
    git("config", "remote.origin.promisor", "true")
    git("config", "remote.origin.partialclonefilter", "blob:none")
    git("sparse-checkout", "set", "--no-cone", *part.folders)
    git("fetch", "--quiet", "--depth", "1", "--filter=blob:none", "origin", part.commit)
    git("checkout", "--quiet", "--detach", "FETCH_HEAD")

    # What stays are the files.
    _remove(unfinished / ".git")
    if not any(unfinished.iterdir()):
        raise InputError(f"{address}: commit {part.commit} has no {', '.join(part.folders)}")
    with files.writing(folder):
        unfinished.rename(folder)
    return folder


def _git(folder: Path, failed: str, *command: str) -> None:
    """Runs git in a folder; it asks for no password."""
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", "GIT_LFS_SKIP_SMUDGE": "1"}
    # Of whoever starts us from a hook of a repository, which is not this one.
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        environment.pop(name, None)

    def translate(error: OSError | subprocess.TimeoutExpired) -> InputError:
        if isinstance(error, FileNotFoundError):
            return InputError("git: not installed; install it, or give local copies with --pool")
        return InputError(f"{failed} ({error}); try again, or give a local copy with --pool")

    with translated((OSError, subprocess.TimeoutExpired), translate):
        done = subprocess.run(
            ["git", "-c", "advice.detachedHead=false", *command],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=_SECONDS,
            check=False,
        )
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise InputError(f"{failed} (git {command[0]}: {said}); try again, or give a local copy with --pool")


def _remove(folder: Path) -> None:
    if folder.exists():
        with files.writing(folder, "removed"):
            shutil.rmtree(folder)

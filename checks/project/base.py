"""What a folder held at another commit, read from Git itself: nothing is checked out, and nothing is written."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import ClassVar

from checks.errors import CheckError
from checks.project.files import MAX_FILES, MAX_JUDGED_FILE_BYTES, TooManyFiles, within_limit

_REGULAR = (b"100644", b"100755")
_DEADLINE_SECONDS = 60
# Git would otherwise ask a remote for what a partial clone lacks, or run what the repository's configuration names.
_ENVIRONMENT = {"GIT_NO_LAZY_FETCH": "1", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}


class BaseUnreadable(CheckError):
    """The commit to compare with, or what it held, could not be read."""

    code: ClassVar[str] = "base-unreadable"

    def __init__(self, *, base: str, problem: str) -> None:
        super().__init__(
            f"What was there at {base} could not be read: {problem}. Which migrations are new is unknown, so none was "
            "judged. Name a commit or branch that this clone has; in CI, fetch the whole history (fetch-depth: 0)."
        )


def merge_base(folder: Path, base: str) -> str:
    """Return the hash of the commit where the work of now and `base` parted. Raises BaseUnreadable."""
    commit = _commit(folder, base)
    head = _commit(folder, "HEAD")
    return _git(folder, base, "merge-base", head, commit).decode().strip()


def files_at(folder: Path, base: str) -> dict[str, bytes]:
    """Return the regular files that a folder held at a commit by their path in it, sorted; none if it was not there.

    Links are left out, as what they led to may have been elsewhere. Raises BaseUnreadable, FileTooLarge, TooManyFiles.
    """
    commit = _commit(folder, base)
    prefix = _git(folder, base, "rev-parse", "--show-prefix").decode().rstrip("\n")
    names: dict[str, str] = {}  # path in the folder -> Git's name of its content
    for entry in _git(folder, base, "ls-tree", "-r", "-z", "--full-tree", commit, "--", prefix or ".").split(b"\0"):
        described, _, path = entry.partition(b"\t")
        if described.startswith(_REGULAR):
            names[os.fsdecode(path).removeprefix(prefix)] = described.split()[2].decode()
    if len(names) > MAX_FILES:
        raise TooManyFiles(folder=folder)
    contents = _contents(folder, base, names)
    return dict(sorted(contents.items()))


def _commit(folder: Path, base: str) -> str:
    return (
        _git(folder, base, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{base}^{{commit}}")
        .decode()
        .strip()
    )


def _contents(folder: Path, base: str, names: dict[str, str]) -> dict[str, bytes]:
    """Return the content of every file, asked for in one call."""
    asked = "".join(f"{name}\n" for name in names.values()).encode()
    answer = _git(folder, base, "cat-file", "--batch", given=asked)
    contents: dict[str, bytes] = {}
    at = 0
    for path in names:
        end = answer.index(b"\n", at)
        words = answer[at:end].split()
        if words[-1] == b"missing":
            raise BaseUnreadable(base=base, problem=f"{path} is not in this clone")
        size = int(words[2])
        contents[path] = within_limit(path, answer[end + 1 : end + 1 + size], largest=MAX_JUDGED_FILE_BYTES)
        at = end + 2 + size
    return contents


def _git(folder: Path, base: str, *arguments: str, given: bytes = b"") -> bytes:
    """Return what Git answers. Raises BaseUnreadable with Git's own words if it refuses, is missing, or hangs."""
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(
            command, input=given, capture_output=True, timeout=_DEADLINE_SECONDS, check=False,
            env={**os.environ, **_ENVIRONMENT},
        )  # fmt: skip
    except FileNotFoundError:
        raise BaseUnreadable(base=base, problem="git is not installed") from None
    except subprocess.TimeoutExpired:
        raise BaseUnreadable(base=base, problem=f"git gave no answer in {_DEADLINE_SECONDS} s") from None
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise BaseUnreadable(base=base, problem=said[-1] if said else "there is no such commit")
    return done.stdout

"""A dump on disk: read to the end, described by a manifest, and compared with it later."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployments.errors import DeploymentError
from deployments.postgres.clients import Client
from deployments.postgres.programs import running
from deployments.postgres.stop import Stop

DUMP, MANIFEST = "dump", "manifest.json"
CHUNK_BYTES = 1024 * 1024
GZIP = b"\x1f\x8b"  # how such a file begins
UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError)  # whatever a damaged manifest may look like


class BackupUnreadable(DeploymentError):
    """A backup is damaged or not complete."""

    code = "backup-unreadable"

    def __init__(self, *, place: Path, why: str) -> None:
        super().__init__(
            f"The backup in {place} is damaged: {why.rstrip('.')}. It is no way back, and the target was not changed. "
            "Look at the disk below the artifacts store, then ask for a new run."
        )


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says about itself: its content, and the SHA-256 of the file that says it."""

    content: Mapping[str, Any]
    sha256: str

    @property
    def bytes(self) -> int:
        """How many bytes the files of the dump have together."""
        return sum(fact["bytes"] for fact in self.content["files"].values())

    @property
    def files(self) -> int:
        """How many files the dump has."""
        return len(self.content["files"])


def read_to_end(place: Path, client: Client, *, stop: Stop) -> dict[str, dict[str, Any]]:
    """Read the dump in a place to its last byte, and return size and SHA-256 of every file in it.

    pg_restore reads it as it would for a restore, and compares the checksums inside. What it lets pass is looked for
    here: it takes an emptied file for a table without rows, and one that is not compressed for rows.

    Raises BackupUnreadable, and what `stop` raises.
    """
    # A list of contents alone is no proof: it says nothing about data that is cut off (E23 of the reliability study).
    arguments = ["--file=/dev/null", str(place / DUMP)]
    with running(client.pg_restore, arguments, files={}) as reader:
        facts = {name: _fact(place, name, stop=stop) for name in _names(place)}
        status = reader.wait(stop)
    if status != 0 or reader.said:
        said = " ".join(line.removeprefix("pg_restore: ") for line in reader.said)
        raise BackupUnreadable(place=place, why=f"pg_restore ended with {status}: {said or 'without a word'}")
    return facts


def write_manifest(place: Path, content: Mapping[str, Any]) -> Manifest:
    """Write what is known about the dump in a place beside it. Raises OSError."""
    text = json.dumps(content, indent=1, sort_keys=True).encode()
    (place / MANIFEST).write_bytes(text)
    return Manifest(content, hashlib.sha256(text).hexdigest())


def compare_with_manifest(place: Path, *, recorded: str | None, stop: Stop) -> Manifest:
    """Return the manifest of a place, if every file there is as it says, and no other is there.

    `recorded` is the SHA-256 that the manifest must have, if it was recorded. Raises BackupUnreadable, and what `stop`
    raises.
    """
    try:
        text = (place / MANIFEST).read_bytes()
        manifest = Manifest(json.loads(text), hashlib.sha256(text).hexdigest())
        written = dict(manifest.content["files"])
        _ = manifest.bytes, manifest.content["snapshot"]["at"]
    except UNREADABLE as damaged:
        raise BackupUnreadable(place=place, why=f"its manifest cannot be read ({type(damaged).__name__})") from damaged
    if recorded not in {None, manifest.sha256}:
        raise BackupUnreadable(place=place, why="its manifest is not the one that was recorded")
    found = {name: _fact(place, name, stop=stop) for name in _names(place)}
    if differing := sorted(name for name in written.keys() | found.keys() if written.get(name) != found.get(name)):
        raise BackupUnreadable(place=place, why=f"not as the manifest says: {', '.join(differing[:5])}")
    return manifest


def _names(place: Path) -> Iterator[str]:
    for folder, _, names in os.walk(place / DUMP):
        yield from sorted(str(Path(folder, name).relative_to(place)) for name in names)


def _fact(place: Path, name: str, *, stop: Stop) -> dict[str, Any]:
    """Return size and SHA-256 of one file, read to the end. Raises BackupUnreadable."""
    size, digest, begins = 0, hashlib.sha256(), b""
    try:
        with (place / name).open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                stop.require_may_start()
                size += len(chunk)
                digest.update(chunk)
                begins = begins or chunk[: len(GZIP)]
    except OSError as damaged:
        raise BackupUnreadable(place=place, why=f"{name} cannot be read ({damaged.strerror})") from damaged
    if not begins or (name.endswith(".gz") and begins != GZIP):
        raise BackupUnreadable(place=place, why=f"{name} ({size} bytes) does not begin as such a file does")
    return {"bytes": size, "sha256": digest.hexdigest()}

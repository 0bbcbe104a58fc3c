"""A dump on disk: read to the end, described by a manifest, and compared with it later."""

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployments.errors import DeploymentError
from deployments.postgres.backup.packing import Damaged, Fact, each, plain_name, unpack_all, unpacked
from deployments.postgres.backup.sealing import Seal
from deployments.postgres.clients import Client
from deployments.postgres.programs import running
from deployments.postgres.stop import Stop

DUMP, MANIFEST, CONTENTS = "dump", "manifest.json", "dump/toc.dat"
CHUNK_BYTES = 1024 * 1024
DATA = re.compile(r"^(\d+); \d+ \d+ TABLE DATA ", re.MULTILINE)
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


def read_to_end(
    place: Path, client: Client, files: Mapping[str, Fact], *, jobs: int = 2, seal: Seal | None = None, stop: Stop
) -> None:
    """Read the packed dump in a place to its last byte, unpack it on the way, and have pg_restore read its contents.

    `files` are the facts from when it was packed. Every table that the contents name has a file here, and what is in it
    is as long as it was and has the checksums that were written. Raises BackupUnreadable, and what `stop` raises.
    """
    # A list of contents alone is no proof: it says nothing about data that is cut off (E23 of the reliability study).
    if missing := sorted(files.keys() ^ set(_names(place))):
        raise BackupUnreadable(place=place, why=f"not the files that were written: {', '.join(missing[:5])}")

    def read(name: str) -> None:
        for _ in unpacked(place / name, name, files[name], seal=seal):
            stop.require_may_start()

    try:
        each(read, sorted(files, key=lambda name: files[name]["bytes"], reverse=True), jobs=jobs)
        contents = _contents(place, client, files, seal=seal, stop=stop)
    except Damaged as damaged:
        raise BackupUnreadable(place=place, why=str(damaged)) from damaged
    except OSError as damaged:
        raise BackupUnreadable(place=place, why=f"it cannot be read ({damaged.strerror})") from damaged
    wanted = {f"{DUMP}/{number}.dat" for number in DATA.findall(contents)}
    if absent := wanted - {plain_name(name) for name in files}:
        raise BackupUnreadable(place=place, why=f"its contents name what is not there: {', '.join(sorted(absent)[:5])}")


def _contents(place: Path, client: Client, files: Mapping[str, Fact], *, seal: Seal | None, stop: Stop) -> str:
    """Return the list of contents as pg_restore reads it. Raises BackupUnreadable, Damaged, OSError."""
    only = {name: fact for name, fact in files.items() if plain_name(name) == CONTENTS}
    if not only:
        raise BackupUnreadable(place=place, why="it has no list of contents")
    with tempfile.TemporaryDirectory(prefix="locktender-contents-") as folder:
        unpack_all(place, only, into=Path(folder, "unpacked"), jobs=1, seal=seal, stop=stop)
        told = Path(folder, "told")
        arguments = ["--list", f"--file={told}", str(Path(folder, "unpacked", DUMP))]
        with running(client.pg_restore, arguments, files={}) as reader:
            status = reader.wait(stop)
        if status != 0 or reader.said:
            said = " ".join(line.removeprefix("pg_restore: ") for line in reader.said)
            raise BackupUnreadable(place=place, why=f"pg_restore ended with {status}: {said or 'without a word'}")
        return told.read_text(encoding="utf-8", errors="replace") if told.exists() else ""


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
    told = {name: {key: fact.get(key) for key in ("bytes", "sha256")} for name, fact in written.items()}
    if differing := sorted(name for name in told.keys() | found.keys() if told.get(name) != found.get(name)):
        raise BackupUnreadable(place=place, why=f"not as the manifest says: {', '.join(differing[:5])}")
    return manifest


def _names(place: Path) -> Iterator[str]:
    for folder, _, names in os.walk(place / DUMP):
        yield from sorted(str(Path(folder, name).relative_to(place)) for name in names)


def _fact(place: Path, name: str, *, stop: Stop) -> dict[str, Any]:
    """Return size and SHA-256 of one file, read to the end. Raises BackupUnreadable."""
    size, digest = 0, hashlib.sha256()
    try:
        with (place / name).open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                stop.require_may_start()
                size += len(chunk)
                digest.update(chunk)
    except OSError as damaged:
        raise BackupUnreadable(place=place, why=f"{name} cannot be read ({damaged.strerror})") from damaged
    return {"bytes": size, "sha256": digest.hexdigest()}

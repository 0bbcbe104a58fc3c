"""Packing the files of a dump: each compressed with zstd, encrypted where that is asked for, and unpacked again."""

import hashlib
import os
import queue
import re
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from deployments.postgres.backup.sealing import Seal, SealBroken
from deployments.postgres.stop import Stop

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

CHUNK_BYTES = 2**20
COMPRESSION = "zstd:1"
PACKED, SEALED = ".zst", ".enc"
BIG_BYTES = 16 * 2**20  # from here on one file is compressed on all cores
# What pg_dump writes at the end of the rows of a table, also of one without any.
END_OF_ROWS = b"\\.\n\n\n"
ROWS = re.compile(r"(.*/)?\d+\.dat")
FINISHED = re.compile(r"finished item (\d+) TABLE DATA ")
Fact = dict[str, Any]


class Damaged(ValueError):
    """A packed file is not what it was, or was never whole."""


class Packing:
    """Packs what pg_dump has finished while it works on the next tables, and all the rest afterwards.

    Both cores are busy that way, also where pg_dump waits for a server elsewhere, and the disk has to hold little that
    is not packed.
    """

    def __init__(self, folder: Path, *, jobs: int, seal: Seal | None = None) -> None:
        """Begin with nothing to do; `folder` is that of the dump. Facts are by the name beside the manifest."""
        self.facts: dict[str, Fact] = {}
        self._folder = folder
        self._jobs = jobs
        self._seal = seal
        self._given: queue.SimpleQueue[Path | None] = queue.SimpleQueue()
        self._failed: list[BaseException] = []
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(jobs)]
        for thread in self._threads:
            thread.start()

    def hear(self, line: str) -> None:
        """Take in a line of pg_dump's: a table that is finished is packed at once."""
        if found := FINISHED.search(line):
            self._given.put(self._folder / f"{found[1]}.dat")

    def finish(self, stop: Stop) -> dict[str, Fact]:
        """Pack what is left, biggest first, and return the facts of all files.

        Raises Damaged for what pg_dump cannot have finished, OSError, and what `stop` raises.
        """
        self._end(self._given.put)
        while any(thread.is_alive() for thread in self._threads):
            stop.require_may_start()
            self._threads_end(0.2)
        self._raise()
        left = sorted(_files(self._folder), key=lambda path: path.stat().st_size, reverse=True)
        left = [path for path in left if path.suffix not in {PACKED, SEALED}]
        with ThreadPoolExecutor(self._jobs) as pool:
            for path in left:
                pool.submit(self._pack, path)
        stop.require_may_start()
        self._raise()
        return self.facts

    def close(self) -> None:
        """Leave what is not packed as it is: the dump has failed."""
        with suppress(queue.Empty):
            while True:
                self._given.get_nowait()
        self._end(self._given.put)
        self._threads_end(10.0)

    def _end(self, put: Callable[[None], None]) -> None:
        for _ in self._threads:
            put(None)

    def _threads_end(self, seconds: float) -> None:
        for thread in self._threads:
            thread.join(seconds)

    def _raise(self) -> None:
        if self._failed:
            raise self._failed[0]

    def _work(self) -> None:
        while (path := self._given.get()) is not None:
            self._pack(path)

    def _pack(self, path: Path) -> None:
        if self._failed:
            return
        try:
            name = path.relative_to(self._folder.parent).as_posix()
            packed, fact = pack(path, name, workers=self._jobs, seal=self._seal)
            path.unlink()
            self.facts[packed] = fact
        except (OSError, Damaged) as failed:
            self._failed.append(failed)


def pack(path: Path, name: str, *, workers: int, seal: Seal | None = None) -> tuple[str, Fact]:
    """Write a file packed beside itself; return its name and facts. Raises Damaged if it cannot be whole, OSError."""
    size, last = path.stat().st_size, b""
    if ROWS.fullmatch(name):
        with path.open("rb") as file:
            file.seek(max(0, size - len(END_OF_ROWS)))
            last = file.read()
        if last != END_OF_ROWS:
            raise Damaged(f"{name} ({size} bytes) does not end as the rows of a table do")
    suffix = PACKED if seal is None else PACKED + SEALED
    parts = _compressed(_parts(path), workers=workers if size >= BIG_BYTES else 0)
    if seal is not None:
        parts = seal.sealed(name, parts)
    digest, written = hashlib.sha256(), 0
    with path.with_name(path.name + suffix).open("xb") as file:
        for part in parts:
            digest.update(part)
            written += file.write(part)
    return name + suffix, {"bytes": written, "sha256": digest.hexdigest(), "plain_bytes": size}


def unpacked(path: Path, name: str, fact: Mapping[str, Any], *, seal: Seal | None) -> Iterator[bytes]:
    """Give the content of a packed file, and compare on the way every byte with what its facts say.

    The last part has been given when it raises: use what was given only if it does not. Raises Damaged, OSError.
    """
    digest, stored, plain = hashlib.sha256(), 0, 0

    def watched() -> Iterator[bytes]:
        nonlocal stored
        for part in _parts(path):
            digest.update(part)
            stored += len(part)
            yield part

    parts: Iterable[bytes] = watched()
    try:
        if name.endswith(SEALED):
            if seal is None:
                raise Damaged(f"{name} is encrypted, and the manifest tells of no key")
            parts = seal.opened(name.removesuffix(PACKED + SEALED), parts)
        if PACKED in Path(name).suffixes:
            parts = _decompressed(parts)
        for part in parts:
            plain += len(part)
            yield part
    except (zstd.ZstdError, SealBroken, EOFError) as broken:
        raise Damaged(f"{name} cannot be unpacked: {broken}") from broken
    if (stored, digest.hexdigest()) != (fact["bytes"], fact["sha256"]) or plain != fact.get("plain_bytes", plain):
        raise Damaged(f"{name} is not as the manifest says")


def plain_name(name: str) -> str:
    """Return what a packed file was called before."""
    return name.removesuffix(SEALED).removesuffix(PACKED)


def unpack_all(place: Path, facts: Mapping[str, Fact], *, into: Path, jobs: int, seal: Seal | None, stop: Stop) -> None:
    """Write every file of a backup unpacked below a new folder, for this user alone.

    Raises Damaged, OSError, FileExistsError, and what `stop` raises.
    """
    into.mkdir(mode=0o700)

    def write(name: str) -> None:
        target = into / plain_name(name)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with target.open("xb") as file:
            for part in unpacked(place / name, name, facts[name], seal=seal):
                stop.require_may_start()
                file.write(part)

    each(write, sorted(facts, key=lambda name: facts[name]["bytes"], reverse=True), jobs=jobs)


def each(work: Callable[[str], None], names: Iterable[str], *, jobs: int) -> None:
    """Do the work for each name, several at once. Raises what the first that failed raises; no other begins then."""
    failed = threading.Event()

    def one(name: str) -> None:
        if not failed.is_set():
            try:
                work(name)
            except BaseException:
                failed.set()
                raise

    with ThreadPoolExecutor(jobs) as pool:
        for done in [pool.submit(one, name) for name in names]:
            done.result()


def _files(folder: Path) -> Iterator[Path]:
    for place, _, names in os.walk(folder):
        yield from (Path(place, name) for name in names)


def _parts(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while part := file.read(CHUNK_BYTES):
            yield part


def _compressed(parts: Iterable[bytes], *, workers: int) -> Iterator[bytes]:
    options: dict[int, int] = {
        zstd.CompressionParameter.compression_level: int(COMPRESSION.partition(":")[2]),
        zstd.CompressionParameter.checksum_flag: 1,
        zstd.CompressionParameter.nb_workers: workers,
    }
    compressor = zstd.ZstdCompressor(options=options)
    for part in parts:
        yield compressor.compress(part)
    yield compressor.flush()


def _decompressed(parts: Iterable[bytes]) -> Iterator[bytes]:
    decompressor = zstd.ZstdDecompressor()
    for part in parts:
        if decompressor.eof:
            raise Damaged("there is something behind its end")
        yield decompressor.decompress(part)
    if not decompressor.eof or decompressor.unused_data:
        raise Damaged("it does not end where it should")

"""One file of a dump, packed: compressed with zstd, encrypted where that is asked for, and unpacked again."""

import hashlib
import re
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from deployments.postgres.backup.sealing import Seal, SealBroken
from deployments.postgres.stop import Stop

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

CHUNK_BYTES = 2**20
LOOK_SECONDS = 0.2
COMPRESSION = "zstd:1"
PACKED, SEALED = ".zst", ".enc"
BIG_BYTES = 16 * 2**20  # from here on one file is compressed on all cores
# What pg_dump writes at the end of the rows of a table, also of one without any.
END_OF_ROWS = b"\\.\n\n\n"
ROWS = re.compile(r"(.*/)?\d+\.dat")
Fact = dict[str, Any]


class Damaged(ValueError):
    """A packed file is not what it was, or was never whole."""


def pack(
    path: Path, name: str, *, workers: int, seal: Seal | None = None, parts: Iterable[bytes] | None = None
) -> tuple[str, Fact]:
    """Write a file packed beside itself; return its name and facts. `parts` are its content where it still grows.

    Raises Damaged if it cannot be whole, OSError.
    """
    last, plain = b"", 0

    def seen() -> Iterator[bytes]:
        nonlocal last, plain
        for part in parts_of(path) if parts is None else parts:
            last, plain = (last + part)[-len(END_OF_ROWS) :], plain + len(part)
            yield part

    suffix = PACKED if seal is None else PACKED + SEALED
    compressed: Iterable[bytes] = _compressed(seen(), workers=workers if path.stat().st_size >= BIG_BYTES else 0)
    if seal is not None:
        compressed = seal.sealed(name, compressed)
    digest, written = hashlib.sha256(), 0
    packed = path.with_name(path.name + suffix)
    with packed.open("xb") as file:
        for part in compressed:
            digest.update(part)
            written += file.write(part)
    if ROWS.fullmatch(name) and (last != END_OF_ROWS or plain != path.stat().st_size):
        packed.unlink()
        raise Damaged(f"{name} ({plain} bytes) does not end as the rows of a table do")
    return name + suffix, {"bytes": written, "sha256": digest.hexdigest(), "plain_bytes": plain}


def unpacked(path: Path, name: str, fact: Mapping[str, Any], *, seal: Seal | None) -> Iterator[bytes]:
    """Give the content of a packed file, and compare on the way every byte with what its facts say.

    The last part has been given when it raises: use what was given only if it does not. Raises Damaged, OSError.
    """
    digest, stored, plain = hashlib.sha256(), 0, 0

    def watched() -> Iterator[bytes]:
        nonlocal stored
        for part in parts_of(path):
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


def unpack_all(
    place: Path,
    facts: Mapping[str, Fact],
    *,
    into: Path,
    jobs: int,
    seal: Seal | None,
    stop: Stop,
    tell: Callable[[int], None] = lambda _: None,
    meanwhile: Callable[[], None] = lambda: None,
) -> None:
    """Write every file of a backup unpacked below a new folder, for this user alone.

    `tell` is told how many bytes were written, by several threads; `meanwhile` is called by this one.

    Raises Damaged, OSError, FileExistsError, and what `stop` raises.
    """
    into.mkdir(mode=0o700)

    def write(name: str) -> None:
        target = into / plain_name(name)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with target.open("xb") as file:
            for part in unpacked(place / name, name, facts[name], seal=seal):
                stop.require_may_start()
                tell(file.write(part))

    each(write, sorted(facts, key=lambda name: facts[name]["bytes"], reverse=True), jobs=jobs, meanwhile=meanwhile)


def each(
    work: Callable[[str], None], names: Iterable[str], *, jobs: int, meanwhile: Callable[[], None] = lambda: None
) -> None:
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
            while wait([done], LOOK_SECONDS).not_done:
                meanwhile()
            done.result()


def parts_of(path: Path) -> Iterator[bytes]:
    """Give the content of a file."""
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

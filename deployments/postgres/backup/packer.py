"""Packing a dump while pg_dump writes it: what is finished at once, and what is big while it grows."""

import os
import queue
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from deployments.postgres.backup.packing import (
    BIG_BYTES,
    CHUNK_BYTES,
    LOOK_SECONDS,
    PACKED,
    ROWS,
    SEALED,
    Damaged,
    Fact,
    pack,
    parts_of,
)
from deployments.postgres.backup.sealing import Seal
from deployments.postgres.stop import Stop

WRITING_SECONDS = 0.05  # how often a file is looked at that is still written
FINISHED = re.compile(r"finished item (\d+) TABLE DATA ")


class Packing:
    """Packs the rows of tables while pg_dump works: a small table when it is finished, a big one while it is written.

    All the rest is packed afterwards. Both cores are busy that way, also where the database is one big table, or where
    pg_dump waits for a server elsewhere, and the disk has to hold little that is not packed.
    """

    def __init__(self, folder: Path, *, jobs: int, seal: Seal | None = None) -> None:
        """Begin with nothing to do; `folder` is that of the dump. Facts are by the name beside the manifest."""
        self.facts: dict[str, Fact] = {}
        self._folder = folder
        self._jobs = jobs
        self._seal = seal
        self._given: queue.SimpleQueue[Path | None] = queue.SimpleQueue()
        self._whole: dict[Path, threading.Event] = {}  # of those that were given: set when nothing more comes
        self._lock = threading.Lock()
        self._is_left = threading.Event()
        self._failed: list[BaseException] = []
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(jobs)]
        for thread in self._threads:
            thread.start()

    def hear(self, line: str) -> None:
        """Take in a line of pg_dump's: a table that is finished is packed at once."""
        if found := FINISHED.search(line):
            self._give(self._folder / f"{found[1]}.dat").set()

    def look(self) -> None:
        """Begin with tables that are big already, and still written. What cannot be seen yet is seen later."""
        with suppress(OSError), os.scandir(self._folder) as entries:
            for entry in entries:
                if ROWS.fullmatch(entry.name) and entry.stat().st_size >= BIG_BYTES:
                    self._give(Path(entry.path))

    def finish(self, stop: Stop) -> dict[str, Fact]:
        """Pack what is left, biggest first, and return the facts of all files.

        Raises Damaged for what pg_dump cannot have finished, OSError, and what `stop` raises.
        """
        with self._lock:  # a single worker does not say what it has finished
            for whole in self._whole.values():
                whole.set()
        self._end(self._given.put)
        while any(thread.is_alive() for thread in self._threads):
            stop.require_may_start()
            self._threads_end(LOOK_SECONDS)
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
        self._is_left.set()
        with suppress(queue.Empty):
            while True:
                self._given.get_nowait()
        self._end(self._given.put)
        self._threads_end(10.0)

    def _give(self, path: Path) -> threading.Event:
        """Have a file packed, once, and return what says that it is whole."""
        with self._lock:
            if path not in self._whole:
                self._whole[path] = threading.Event()
                self._given.put(path)
            return self._whole[path]

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
        if self._failed or self._is_left.is_set():
            return
        try:
            name = path.relative_to(self._folder.parent).as_posix()
            whole = self._whole.get(path)
            parts = parts_of(path) if whole is None else self._parts_until(whole, path)
            packed, fact = pack(path, name, workers=self._jobs, seal=self._seal, parts=parts)
            path.unlink()
            self.facts[packed] = fact
        except (OSError, Damaged) as failed:
            self._failed.append(failed)

    def _parts_until(self, whole: threading.Event, path: Path) -> Iterator[bytes]:
        """Give the content of a file that is still written, up to where it ends once it is whole."""
        with path.open("rb") as file:
            while True:
                is_whole = whole.is_set()  # asked first: what was written before that is read after it
                while part := file.read(CHUNK_BYTES):
                    yield part
                if is_whole:
                    return
                if self._is_left.is_set():
                    raise Damaged(f"{path.name} was left before it was whole")
                whole.wait(WRITING_SECONDS)


def _files(folder: Path) -> Iterator[Path]:
    for place, _, names in os.walk(folder):
        yield from (Path(place, name) for name in names)

"""`migration-check` against squawk on the same thousand files: time and memory, cold, and for what changed since then.

`make bench ARGS=lint`, or with a folder of migrations of your own. Cold is without the cache. Then the last file is
written to before each call, as between two calls of somebody at work, and then nothing is. Squawk judges each file
alone and keeps nothing.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.installation import say
from benchmarks.squawk import PROGRAM
from checks.errors import CheckError
from checks.layouts import detect, read_files

ROUNDS = 5
FILES = 1000
CHECK = Path(sys.executable).parent / "migration-check"
MEBIBYTE_KIB = 1024


def main(folder: str = "") -> None:
    """Run both in turn, round by round, and print the ratios of the medians as the last line."""
    with tempfile.TemporaryDirectory(prefix="locktender-bench-") as place:
        migrations = Path(place) / "migrations"
        if folder:
            shutil.copytree(folder, migrations)
        else:
            _write(migrations)
        bench = _Bench(migrations, Path(place) / "cache")
        ways: dict[str, Callable[[], _Run]] = {
            "squawk": bench.squawk,
            "cold": bench.cold,
            "changed": bench.changed,
            "unchanged": bench.unchanged,
        }
        bench.changed()  # the call since which it changed
        runs: dict[str, list[_Run]] = {name: [] for name in ways}
        for number in range(1, ROUNDS + 1):
            for name, way in ways.items():
                runs[name].append(way())
            say(f"round {number}: " + ", ".join(f"{name} {taken[-1].seconds:.2f} s" for name, taken in runs.items()))
        middle = {name: _middle(taken) for name, taken in runs.items()}
        for name, one in middle.items():
            say(f"{name}: {one.seconds:.2f} s, {one.processor_seconds:.2f} s of processor, {one.mebibytes:.0f} MiB")
        squawk = middle["squawk"].seconds
        ratios = (f"{name} {middle[name].seconds / squawk:.2f}" for name in ("cold", "changed", "unchanged"))
        say(f"lint: {bench.files} files: {', '.join(ratios)} of squawk's time for all of them")


@dataclass(frozen=True, slots=True)
class _Run:
    seconds: float
    processor_seconds: float
    mebibytes: float


class _Bench:
    """The same files for both."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self._folder, self._number = folder, 0
        # As an installed command it has its bytecode; a variable that forbids to write that would time the compiler.
        self._environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        self._environment["XDG_CACHE_HOME"] = str(cache)
        try:
            layout = detect(folder)
            found = layout.read(read_files(folder, layout))
        except CheckError as error:
            raise SystemExit(str(error)) from None
        self._paths = [next(folder.rglob(one.paths["forward"])) for one in found]
        self._shape = self._paths[-1]

    @property
    def files(self) -> int:
        return len(self._paths)

    def squawk(self) -> _Run:
        return self._run([PROGRAM, "--reporter=json", *self._paths])

    def cold(self) -> _Run:
        return self._run([CHECK, self._folder, "--format=json", "--no-cache"])

    def changed(self) -> _Run:
        """Write one statement more into the last file, and judge the folder with what was kept of the last call."""
        self._number += 1
        with self._shape.open("a", encoding="utf-8") as file:
            file.write(f"\nCREATE TABLE bench_{self._number} (id bigint PRIMARY KEY);\n")
        return self.unchanged()

    def unchanged(self) -> _Run:
        """Judge the folder with what was kept of the last call."""
        return self._run([CHECK, self._folder, "--format=json"])

    def _run(self, command: list[str | Path]) -> _Run:
        began = time.monotonic()
        with Path(os.devnull).open("wb") as nowhere:
            process = subprocess.Popen(command, stdout=nowhere, stderr=nowhere, env=self._environment)
            _, _, used = os.wait4(process.pid, 0)
            process.returncode = 0  # waited for above, where its use of the machine is told
        kibibytes = used.ru_maxrss / (MEBIBYTE_KIB if sys.platform == "darwin" else 1)
        return _Run(time.monotonic() - began, used.ru_utime + used.ru_stime, kibibytes / MEBIBYTE_KIB)


def _middle(runs: list[_Run]) -> _Run:
    return _Run(
        statistics.median(one.seconds for one in runs),
        statistics.median(one.processor_seconds for one in runs),
        statistics.median(one.mebibytes for one in runs),
    )


def _write(folder: Path) -> None:
    """Write a history of Prisma's kind: in turn a new table, columns, an index, a key, a type, and data."""
    folder.mkdir()
    (folder / "migration_lock.toml").write_text('provider = "postgresql"\n', encoding="utf-8")
    for number in range(FILES):
        table, other = f"T{number // len(_FORMS)}", f"T{number // len(_FORMS) // 2}"
        place = folder / f"{20200101000000 + number}_step"
        place.mkdir()
        sql = _FORMS[number % len(_FORMS)].format(table=table, other=other)
        (place / "migration.sql").write_text(sql, encoding="utf-8")


_FORMS = (
    """-- CreateTable
CREATE TABLE "{table}" (
    "id" TEXT NOT NULL,
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "name" VARCHAR(100) NOT NULL,
    "count" INTEGER NOT NULL DEFAULT 0,
    "otherId" TEXT,
    CONSTRAINT "{table}_pkey" PRIMARY KEY ("id")
);
-- CreateIndex
CREATE UNIQUE INDEX "{table}_name_key" ON "{table}"("name");
""",
    """-- AlterTable
ALTER TABLE "{table}" ADD COLUMN "title" TEXT, ADD COLUMN "isDone" BOOLEAN NOT NULL DEFAULT false;
ALTER TABLE "{table}" ALTER COLUMN "count" DROP DEFAULT;
""",
    """-- CreateIndex
CREATE INDEX "{table}_createdAt_idx" ON "{table}"("createdAt");
""",
    """-- AddForeignKey
ALTER TABLE "{table}" ADD CONSTRAINT "{table}_otherId_fkey" FOREIGN KEY ("otherId") REFERENCES "{other}"("id")
    ON DELETE SET NULL ON UPDATE CASCADE;
""",
    """-- AlterTable
ALTER TABLE "{table}" ALTER COLUMN "count" SET DATA TYPE BIGINT, ALTER COLUMN "title" SET NOT NULL;
""",
    """-- CreateEnum
CREATE TYPE "{table}State" AS ENUM ('OPEN', 'DONE');
ALTER TABLE "{table}" ADD COLUMN "state" "{table}State" NOT NULL DEFAULT 'OPEN', DROP COLUMN "isDone";
UPDATE "{table}" SET "state" = 'DONE' WHERE "count" > 5;
""",
)

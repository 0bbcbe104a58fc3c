"""The command that tells a pooler to hold its clients while databases are exchanged: one of the server's own settings.

It is run with JSON on its standard input, {"phase": "before" or "after", "database": name}, and says with status 0 that
it did. "after" comes as often as "before" or more often, also after a crash: it must not mind.
"""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from deployments.postgres.programs import INHERITED
from deployments.postgres.swap.errors import PoolerRefused

TIMEOUT_SECONDS = 15.0
LONGEST_DETAIL = 300


@dataclass(frozen=True, slots=True)
class Pooler:
    """A command of the server's configuration, by its absolute path; None is "there is none"."""

    command: Path | None = None

    def tell(self, phase: Literal["before", "after"], *, target: str, database: str) -> None:
        """Tell the pooler. Raises PoolerRefused if it does not do it within fifteen seconds."""
        if self.command is None:
            return
        asked = json.dumps({"phase": phase, "database": database})
        environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
        try:
            ran = subprocess.run(
                [self.command],
                input=asked,
                env=environment,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=TIMEOUT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            detail = f"it was not done within {TIMEOUT_SECONDS:.0f} s"
        except OSError as missing:
            detail = f"it cannot be run ({missing.strerror})"
        else:
            if ran.returncode == 0:
                return
            said = (ran.stderr.strip().splitlines() or ["without a word"])[-1][:LONGEST_DETAIL]
            detail = f"it ended with {ran.returncode}: {said}"
        raise PoolerRefused(target=target, phase=phase, detail=detail) from None

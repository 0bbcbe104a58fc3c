"""Why a contract may not run yet, with the step that is missing."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from checks.errors import CheckError


class ContractTooEarly(CheckError):
    """Base of every reason to wait with a contract."""


class ExpandUnknown(ContractTooEarly):
    """A contract names a migration that is not there."""

    code: ClassVar[str] = "contract-expand-unknown"

    def __init__(self, *, migration: str, expand: str) -> None:
        super().__init__(
            f"{migration} says that it contracts {expand}, but no migration has that name. Nothing was planned, "
            "because nobody can say whether the way for it was prepared. Correct the name in its comment."
        )


class ExpandNotDeployed(ContractTooEarly):
    """A contract would go out together with its expand, or before it."""

    code: ClassVar[str] = "contract-expand-pending"

    def __init__(self, *, migration: str, expand: str, why: str) -> None:
        super().__init__(
            f"{migration} takes away what {expand} replaces ({why}), and {expand} is not deployed here yet. Nothing "
            f"was planned. Sync the commit that has {expand} and not yet this one, deploy it, then the application "
            "that does without, then this."
        )


class ExpandNotSoaked(ContractTooEarly):
    """An expand was deployed too short a time ago."""

    code: ClassVar[str] = "contract-not-soaked"

    def __init__(self, *, migration: str, expand: str, ready_at: datetime) -> None:
        self.ready_at = ready_at
        super().__init__(
            f"{migration} takes away what {expand} replaces, and {expand} was deployed here only lately. Nothing was "
            f"planned: what it replaces is still the way back. Plan again after {ready_at:%Y-%m-%d %H:%M %Z}."
        )


class OldApplicationRuns(ContractTooEarly):
    """The application that uses what a contract takes away is running."""

    code: ClassVar[str] = "contract-old-application"

    def __init__(self, *, migration: str, after: str, running: str) -> None:
        super().__init__(
            f"{migration} takes away what version {after} of the application still uses, and version {running} is "
            f"running here. Nothing was planned. Deploy an application after {after} everywhere, then plan again."
        )


class ApplicationUnknown(ContractTooEarly):
    """Nobody knows which application is running."""

    code: ClassVar[str] = "contract-application-unknown"

    def __init__(self, *, migration: str, after: str, running: str | None) -> None:
        known = f'its version "{running}" cannot be compared with that' if running else "its version is not known"
        super().__init__(
            f"{migration} waits until no application of version {after} runs here, and {known}. Nothing was planned. "
            "Let the health check tell the version, in numbers such as 2.7."
        )

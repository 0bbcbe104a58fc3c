"""What a policy asks of the backup before a change: whether there is one, who makes it, and how far it is proven."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

VERIFIED_GB = 20  # up to here a backup is restored and compared before the change: minutes (study, section 3.2)
SAMPLED_GB = 50  # up to here by a sample; above it a restore takes over a quarter of an hour (DESIGN, section 8)
PG_DUMP = "pg_dump"
NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked. Sizes are in GB; None is "not asked"."""

    backup: bool
    verified_gb: int | None
    sampled_gb: int | None
    driver: str


def asked_of(rules: Mapping[str, Any], *, protected: bool) -> Asked:
    """Return what rules ask of the backup. Raises ValueError."""
    backup = rules.get("backup", protected)
    if not isinstance(backup, bool):
        raise ValueError('"backup" must be true or false')  # noqa: TRY004 # a policy is refused as one thing
    driver = rules.get("backup_driver", PG_DUMP)
    if not isinstance(driver, str) or not NAME.fullmatch(driver):
        raise ValueError('"backup_driver" must be the name of a driver: small letters, digits, - and _')
    verified = _gigabytes(rules, "verified_backup_gb", VERIFIED_GB if protected and backup else None)
    if verified is not None and not backup:
        raise ValueError('"verified_backup_gb" asks for a backup, and "backup" for none')
    sampled = _gigabytes(rules, "sampled_backup_gb", None if verified is None else max(verified, SAMPLED_GB))
    if sampled is not None and (verified is None or sampled < verified):
        raise ValueError('"sampled_backup_gb" must not be below "verified_backup_gb"')
    return Asked(backup, verified, sampled, driver)


def _gigabytes(rules: Mapping[str, Any], name: str, default: int | None) -> int | None:
    size = rules.get(name, default)
    if size is not None and (type(size) is not int or size < 1):
        raise ValueError(f'"{name}" must be null or a whole number of gigabytes, 1 or more')
    return size

"""The classes of stored migrations. A script never changes, so each is judged once per process."""

from collections.abc import Iterable

from checks.report import judge
from checks.risk import Risk
from deployments.models import Migration, Script

_KNOWN: dict[str, Risk] = {}  # by the SHA-256 of the script: an entry never becomes wrong


def classes_of(migrations: Iterable[Migration]) -> dict[str, Risk]:
    """Return the class of each forward script, by its SHA-256."""
    wanted = {one.forward_id for one in migrations}
    for sha256, script in Script.objects.in_bulk(wanted - _KNOWN.keys()).items():
        _KNOWN[sha256] = judge(script.text()).classified.risk
    return {sha256: _KNOWN[sha256] for sha256 in wanted}

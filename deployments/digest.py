"""From a plan to its digest: one canonical text, one SHA-256."""

import hashlib
import json
from typing import Any


def canonical(plan: dict[str, Any]) -> str:
    """Return the one text of this plan: sorted keys, no spaces, non-ASCII as it is."""
    return json.dumps(plan, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest_of(plan_text: str) -> str:
    """Return the SHA-256 of a canonical plan, in lower-case hex. The database computes the same and compares."""
    return hashlib.sha256(plan_text.encode()).hexdigest()

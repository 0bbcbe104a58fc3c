"""Keeping who may change the schema of a target."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from django.db import transaction

from deployments.models import Database, TargetAccess
from deployments.services.transition import lock_databases


def keep_access(database: Database, content: Mapping[str, Any]) -> TargetAccess:
    """Keep who may change a schema, as it was read, and return it: the kept one if nothing changed since."""
    text = json.dumps(content, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    with transaction.atomic():
        lock_databases([database.pk])
        newest = TargetAccess.objects.filter(database=database).order_by("-id").first()
        if newest is not None and newest.digest == digest:
            return newest
        return TargetAccess.objects.create(database=database, content=json.loads(text), digest=digest)

"""Keeping what an application said of itself."""

from django.db import transaction

from deployments.actors import Actor
from deployments.models import Environment
from deployments.services.audit import record


def keep_version(environment: Environment, version: str, *, actor: Actor) -> None:
    """Store the version of the application that runs in this environment now; nothing changes if it is known."""
    with transaction.atomic():
        held = Environment.objects.select_for_update().get(pk=environment.pk)
        if held.application_version == version:
            return
        Environment.objects.filter(pk=held.pk).update(application_version=version)
        record(actor, "environment.version-reported", held, before=held.application_version, after=version)

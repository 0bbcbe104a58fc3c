"""Comparing what the migrations of a release make with the schema.prisma beside them, on a rehearsal server."""

from pathlib import Path

from django.conf import settings

from checks.errors import CheckError
from deployments.actors import Actor
from deployments.errors import DeploymentError
from deployments.models import Application, ControlPlane, DatamodelCheck, Environment, Release
from deployments.models.datamodel import DatamodelOutcome
from deployments.postgres.connect import Target
from deployments.postgres.datamodel import produced_on
from deployments.services.datamodel import keep_datamodel_check
from deployments.sources.datamodel import datamodel_of, sql_of


def check_datamodel(application: Application, *, actor: Actor) -> DatamodelCheck | None:
    """Compare the newest release with its data model and keep what came of it; None where there is none of the two.

    What keeps it from being compared is an answer too: not checked, and why. Raises what the control database raises.
    """
    release = Release.objects.filter(application=application).order_by("-id").first()
    datamodel = datamodel_of(application)
    if release is None or datamodel is None:
        return None
    cli = settings.CONFIGURATION.prisma_cli
    places = Environment.objects.filter(application=application).exclude(rehearsal_connection="")
    place = places.order_by("rank").first()
    if cli is None:
        return _not_checked(release, "PRISMA_CLI does not say where the Prisma CLI is.", actor)
    if place is None:
        return _not_checked(release, "No environment of the application names a rehearsal server.", actor)
    server = Target(0, f"the rehearsal server of {place}", place.rehearsal_connection)
    entries = release.entries.select_related("migration__forward")
    migrations = [(one.migration.name, one.migration.forward.text()) for one in entries]
    try:
        found = produced_on(
            server,
            migrations,
            lambda url: sql_of(application, datamodel, cli=Path(cli), url=url),
            control_plane_id=ControlPlane.objects.get().pk,
            number=application.pk,
        )
    except (DeploymentError, CheckError) as refusal:
        return _not_checked(release, str(refusal), actor)
    if found.why_not_known:
        return _not_checked(release, found.why_not_known, actor)
    outcome = DatamodelOutcome.PRODUCED if found.is_equal else DatamodelOutcome.DIFFERENT
    return keep_datamodel_check(release, outcome, missing=found.missing, more=found.more, actor=actor)


def _not_checked(release: Release, why: str, actor: Actor) -> DatamodelCheck:
    return keep_datamodel_check(release, DatamodelOutcome.NOT_CHECKED, why=why, actor=actor)

"""What is applied where, as last observed."""

from collections.abc import Iterable

from django.db.models import OuterRef, Subquery

from deployments.models import Application, Database, Environment, Observation


def latest_observation(database: Database) -> Observation | None:
    """Return the newest observation of a database, or None if it was never read."""
    return database.observations.order_by("-id").first()


def latest_observations(databases: Iterable[Database]) -> dict[int, Observation]:
    """Return the newest observation of each of these databases that was ever read, by the database's id, in one query.

    Schema and sizes are large and are not read.
    """
    newest = Observation.objects.filter(database=OuterRef("pk")).order_by("-id").values("pk")[:1]
    asked = Database.objects.filter(pk__in=[one.pk for one in databases]).values_list(Subquery(newest))
    return {one.database_id: one for one in Observation.objects.filter(pk__in=asked).defer("schema", "sizes", "model")}


def applied_checksums(application: Application) -> dict[str, set[str]]:
    """Return name -> checksums under which a migration is applied in any database of an application."""
    applied: dict[str, set[str]] = {}
    for database in Database.objects.filter(environment__application=application):
        observation = latest_observation(database)
        for entry in observation.history if observation else ():
            applied.setdefault(entry["name"], set()).add(entry["checksum"])
    return applied


def missing_before(environment: Environment, names: set[str]) -> set[str]:
    """Return which of these migrations some earlier environment of the application does not have yet.

    A database that was never observed has none. Earlier is by promotion rank.
    """
    return set().union(*(names - applied for applied in applied_before(environment)))


def applied_before(environment: Environment) -> list[set[str]]:
    """Return what each database of the earlier environments of the application has, as last observed."""
    earlier = Database.objects.filter(
        environment__application=environment.application_id, environment__rank__lt=environment.rank
    )
    databases = list(earlier)
    read = latest_observations(databases)
    return [
        {entry["name"] for entry in (read[database.pk].history if database.pk in read else ())}
        for database in databases
    ]

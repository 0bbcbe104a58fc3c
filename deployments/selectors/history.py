"""What is applied where, as last observed."""

from deployments.models import Application, Database, Environment, Observation


def latest_observation(database: Database) -> Observation | None:
    """Return the newest observation of a database, or None if it was never read."""
    return database.observations.order_by("-id").first()


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
    missing: set[str] = set()
    earlier = Database.objects.filter(
        environment__application=environment.application_id, environment__rank__lt=environment.rank
    )
    for database in earlier:
        observation = latest_observation(database)
        missing |= names - {entry["name"] for entry in (observation.history if observation else ())}
    return missing

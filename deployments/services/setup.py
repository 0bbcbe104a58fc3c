"""Adding what is managed and who works on it: applications, environments, databases, people and their roles."""

from dataclasses import asdict

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Model

from checks.health import Expectation
from checks.layouts import named
from deployments.actors import Actor
from deployments.addresses import HealthCheckUnusable, Place, require_possible
from deployments.authority import Action, require
from deployments.errors import DeploymentError
from deployments.models import Application, Database, Environment, Grant, HealthCheck, Policy, User
from deployments.models.grant import Role
from deployments.postgres.history import HISTORIES
from deployments.services.audit import record

LONGEST_WORD = 200  # of what a health check expects


class AlreadyThere(DeploymentError):
    """Something of that name, rank or place exists."""

    code = "already-there"

    def __init__(self, *, what: str) -> None:
        super().__init__(f"{what} exists already. Nothing was changed. Choose another name, rank or position.")


class LayoutNotDeployable(DeploymentError):
    """Migrations of this layout are judged, but not deployed."""

    code = "layout-not-deployable"

    def __init__(self, *, layout: str) -> None:
        super().__init__(
            f'Migrations of the layout "{layout}" are judged by migration-check, but not deployed: its history in a '
            f"database is not kept yet. Nothing was added. Deploy one of these: {', '.join(sorted(HISTORIES))}."
        )


def _require(actor: Actor, action: Action, subject: Model | None = None) -> None:
    """Let the command line itself set up an installation, and people by their roles. Raises NotAllowed."""
    if actor.user is not None:
        require(actor, action, subject)


def add_application(slug: str, *, layout: str, source: str, actor: Actor) -> Application:
    """Add an application and return it.

    Raises NotAllowed, AlreadyThere, LayoutNotDeployable, and LayoutUnknown from checks.
    """
    _require(actor, Action.MANAGE_APPLICATION)
    layout = named(layout).name
    if layout not in HISTORIES:
        raise LayoutNotDeployable(layout=layout)
    try:
        with transaction.atomic():
            application = Application.objects.create(slug=slug, name=slug, layout=layout, source=source)
            record(actor, "application.added", application, after={"layout": layout, "source": source})
    except IntegrityError as twice:
        raise AlreadyThere(what=f"The application {slug}") from twice
    return application


def add_environment(application: Application, slug: str, *, rank: int, protected: bool, actor: Actor) -> Environment:
    """Add an environment with the default policy and return it; it rehearses where the installation says.

    Raises NotAllowed, AlreadyThere.
    """
    _require(actor, Action.MANAGE_APPLICATION, application)
    server = settings.CONFIGURATION.rehearsal_server or ""
    try:
        with transaction.atomic():
            environment = Environment.objects.create(
                application=application,
                slug=slug,
                name=slug,
                rank=rank,
                is_protected=protected,
                rehearsal_connection=server,
            )
            Policy.objects.create(environment=environment, version=1, rules={}, reason="The default policy")
            told = {"rank": rank, "protected": protected} | ({"rehearsal_server": server} if server else {})
            record(actor, "environment.added", environment, after=told)
    except IntegrityError as twice:
        raise AlreadyThere(what=f"{application.slug}/{slug}, or rank {rank},") from twice
    return environment


def add_database(environment: Environment, name: str, *, connection: str, owner_role: str, actor: Actor) -> Database:
    """Add a database as the last of its environment and return it. `connection` is a reference, never the secret.

    Raises NotAllowed, AlreadyThere, NotAReference.
    """
    _require(actor, Action.MANAGE_APPLICATION, environment)
    try:
        with transaction.atomic():
            database = Database.objects.create(
                environment=environment,
                name=name,
                position=environment.databases.count() + 1,
                connection=connection,
                owner_role=owner_role,
            )
            record(actor, "database.added", database, after={"connection": connection, "owner_role": owner_role})
    except IntegrityError as refused:
        if "database_connection_is_a_reference" in str(refused):
            raise NotAReference from refused
        raise AlreadyThere(what=f"The database {environment}/{name}") from refused
    return database


def set_rehearsal_server(environment: Environment, *, connection: str, actor: Actor) -> None:
    """Say where backups of an environment are restored and its migrations rehearsed; "" for nowhere.

    Databases are made and dropped there: its role has CREATEDB. Raises NotAllowed, NotAReference.
    """
    _require(actor, Action.MANAGE_APPLICATION, environment)
    before = environment.rehearsal_connection
    try:
        with transaction.atomic():
            Environment.objects.filter(pk=environment.pk).update(rehearsal_connection=connection)
            record(
                actor,
                "environment.rehearsal-server",
                environment,
                before={"connection": before},
                after={"connection": connection},
            )
    except IntegrityError as refused:
        raise NotAReference from refused
    environment.rehearsal_connection = connection


def set_rollback_hook(environment: Environment, *, url: str, actor: Actor) -> None:
    """Say whom a rollback asks to bring the earlier version of the application back; "" for nobody.

    Nothing is asked now: where the URL leads is judged each time. Raises NotAllowed, HealthCheckUnusable.
    """
    _require(actor, Action.MANAGE_APPLICATION, environment)
    if url:
        place = Place.of(url)
        require_possible(place)
        if not place.is_tls:
            raise HealthCheckUnusable(problem="A rollback hook must begin with https://.")
    with transaction.atomic():
        held = Environment.objects.select_for_update().get(pk=environment.pk)
        Environment.objects.filter(pk=held.pk).update(rollback_hook=url)
        record(actor, "environment.rollback-hook", held, before={"url": held.rollback_hook}, after={"url": url})
    environment.rollback_hook = url


class NotAReference(DeploymentError):
    """A connection was given itself, instead of where it is kept."""

    code = "not-a-reference"

    def __init__(self) -> None:
        super().__init__(
            "A connection is given as env:NAME or file:/path, never as the string itself. Nothing was stored. "
            "Put the string into a variable or a file on the worker, and name that."
        )


def set_health_check(environment: Environment, expectation: Expectation, *, actor: Actor) -> HealthCheck:
    """Say how an environment's application tells that it is well, in place of what was said before; return the row.

    Nothing is asked: where the URL leads is judged with every probe. Raises NotAllowed, HealthCheckUnusable.
    """
    _require(actor, Action.MANAGE_APPLICATION, environment)
    require_possible(Place.of(expectation.url))
    if not (100 <= expectation.status <= 599):  # noqa: PLR2004
        raise HealthCheckUnusable(problem="The status must lie between 100 and 599.")
    if expectation.json_value and not expectation.json_path:
        raise HealthCheckUnusable(problem="There is a JSON value without the path where it stands.")
    paths = (expectation.json_path, expectation.version_path, expectation.latency_path)
    words = (*paths, expectation.json_value, expectation.text)
    if not all(word.isprintable() and len(word) <= LONGEST_WORD for word in words):
        raise HealthCheckUnusable(problem=f"A path, value or text is longer than {LONGEST_WORD}, or is not printable.")
    after = asdict(expectation)
    with transaction.atomic():
        held = Environment.objects.select_for_update().get(pk=environment.pk)  # one change at a time
        known = HealthCheck.objects.filter(environment=held).first()
        before = asdict(known.expectation()) if known else None
        check, _ = HealthCheck.objects.update_or_create(environment=held, defaults=after)
        if before != after:
            record(actor, "health-check.set", held, before=before, after=after)
    return check


def grant(
    username: str,
    role: Role,
    *,
    application: Application | None = None,
    environment: Environment | None = None,
    actor: Actor,
) -> Grant:
    """Give a person a role, everywhere or at one place, adding the person if need be; return the grant.

    Raises NotAllowed.
    """
    _require(actor, Action.MANAGE_PEOPLE, environment or application)
    with transaction.atomic():
        user, added = User.objects.get_or_create(username=username)
        if added:
            user.set_unusable_password()
            user.save(update_fields=["password"])
            record(actor, "person.added", user)
        held, created = Grant.objects.get_or_create(
            user=user, role=role, application=application, environment=environment, defaults={"granted_by": actor.user}
        )
        if created:
            record(actor, "role.granted", user, after={"role": role.value, "at": str(environment or application or "")})
    return held

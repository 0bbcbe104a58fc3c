"""What the environment may set: every variable typed, and every bad one named at start."""

from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Annotated, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    IPvAnyNetwork,
    PostgresDsn,
    RedisDsn,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

SECRETS_FOLDER = Path("/run/secrets")
OWN_MACHINE = frozenset({"localhost", "127.0.0.1", "[::1]"})


def _seconds(value: object) -> object:
    """Read a plain number as seconds, so that `LEASE=30` means what it says."""
    return timedelta(seconds=float(value)) if isinstance(value, str | int | float) else value


Seconds = Annotated[timedelta, BeforeValidator(_seconds)]


class BackupDriver(BaseModel):
    """A program that makes backups: by its absolute path, with an environment of references, never with a shell."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    command: Path
    environment: dict[
        Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")], Annotated[str, Field(pattern=r"^(env|file):.+$")]
    ] = {}
    timeout: Annotated[Seconds, Field(gt=timedelta())] = timedelta(hours=6)

    @field_validator("command")
    @classmethod
    def _require_absolute(cls, command: Path) -> Path:
        if not command.is_absolute():
            message = "the command of a backup driver must be an absolute path"
            raise ValueError(message)
        return command


class Configuration(BaseSettings):
    """The settings of one installation: variables named as below in capitals, or files in /run/secrets.

    Durations are given in seconds. Raises pydantic.ValidationError, which names every variable that is
    missing or wrong, and shows the value of none: it may be a password.
    """

    model_config = SettingsConfigDict(
        extra="ignore",
        hide_input_in_errors=True,
        secrets_dir=SECRETS_FOLDER if SECRETS_FOLDER.is_dir() else None,
    )

    database_url: PostgresDsn
    """The control database as the application role: owns nothing, cannot change the audit log."""
    database_owner_url: PostgresDsn | None = None
    """The same database as the role that owns the tables. Only `migrate` uses it; web and workers need not have it."""
    redis_url: RedisDsn
    secret_key: SecretStr
    debug: bool = False
    allowed_hosts: list[str] = ["localhost", "127.0.0.1"]
    behind_proxy: bool = False
    """A proxy in front ends TLS and sets X-Forwarded-Proto and X-Forwarded-For itself; only then are they believed."""
    plain_http: bool = False
    """Cookies also travel over plain HTTP. For one's own machine only: refused with other hosts, and with a proxy."""
    static_folder: Path | None = None
    """Where `collectstatic` puts the static files, and where the web process reads them."""

    lease: Seconds = timedelta(seconds=30)
    """How long a job belongs to its executor after the last heartbeat (reliability study, section 1.3)."""
    heartbeat: Seconds = timedelta(seconds=5)
    silence: Seconds = timedelta(seconds=20)
    """An executor without a successful heartbeat for this long starts nothing new."""
    sweep: Seconds = timedelta(seconds=5)
    """How often the dispatcher looks by itself, besides being told."""
    resend: Seconds = timedelta(seconds=30)
    """How soon the same job may be sent to its queue again."""
    executor_slots: int = 4
    """How many executors one dispatcher may launch by itself when no worker is there."""

    lock_timeout: Seconds = timedelta(milliseconds=500)
    """How long a statement may wait for a lock before its whole transaction is tried again."""
    lock_retry_limit: Seconds = timedelta(minutes=10)
    """How long such retries may go on. There is never a last try without a limit."""
    guard_interval: Seconds = timedelta(milliseconds=250)

    artifacts: Path
    """The one folder where backups are kept: every worker writes it, and whoever restores reads it."""
    pg_client_folder: Path | None = None
    """Where pg_dump and pg_restore are looked for before the usual places."""
    prisma_cli: Annotated[str, Field(pattern="^/")] | None = None
    """The program `prisma` of a folder node_modules, by its absolute path. With it, `check_datamodel` compares what
    migrations make with schema.prisma; a prisma.config.ts beside that folder is its configuration."""
    dump_jobs: int = 2
    """How many tables of one database are dumped at once."""
    backup_key: str | None = None
    """Where the key is that encrypts backups of protected environments, as env:NAME or file:/path; without one they are
    not encrypted."""
    backup_old_keys: list[str] = []
    """Where keys of before are, which still open what they encrypted."""
    backup_days: Annotated[int, Field(ge=1)] = 14
    """How many days a backup stays at least."""
    backups_kept: Annotated[int, Field(ge=1)] = 3
    """How many of the newest sound backups of a database stay, however old they are."""
    restore_limit: Annotated[int, Field(ge=1)] = 200 * 10**9
    """The largest backup, in bytes unpacked, that is restored to see that it can be, or single tables of it."""
    backup_drivers: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")], BackupDriver] = {}
    """Programs that make backups in place of pg_dump, by the name that a policy uses."""
    ignored_partitions: bool = True
    """Partitions of tables are no part of what a database is expected to have: jobs make and drop them."""
    managed_roles: list[str] = [
        "rdsadmin", "cloudsqladmin", "cloudsqlagent", "cloudsqlsuperuser", "azuresu", "azure_superuser",
        "azure_pg_admin", "alloydbadmin", "alloydbsuperuser",
    ]  # fmt: skip
    """Roles of a provider, with * and ?: their rights, and that they own, are no part of what is expected."""
    ignored_objects: list[str] = []
    """Objects that are no part of it either, as a schema difference names them, with * and ?."""
    rehearsal_server: Annotated[str, Field(pattern=r"^(env|file):.+$")] | None = None
    """Where an environment that is added rehearses until it names another server, as env:NAME or file:/path."""
    rehearsal_largest_gb: Annotated[int, Field(ge=1)] = 50
    """Up to which size a database is copied for a rehearsal: above it that takes more than a quarter of an hour."""
    keep_limit: int = 2**30
    """Up to how many bytes a rollback first keeps what its scripts destroy."""
    pooler_command: Path | None = None
    """A program, by its absolute path, that tells the pooler to hold its clients while databases are exchanged."""
    health_networks: list[IPvAnyNetwork] = []
    """Internal networks whose addresses health checks may reach; public ones they always may, metadata never."""
    rollback_hook_key: str | None = None
    """Where the key is that signs what a rollback posts to the hook of its environment, as env:NAME or file:/path;
    without one nothing is posted."""
    rollback_hook_wait: Seconds = timedelta(seconds=60)
    """How long a rollback then waits for the earlier version of the application, before it goes on all the same."""
    health_interval: Annotated[Seconds, Field(ge=timedelta(milliseconds=10))] = timedelta(seconds=10)
    """How long after an unhealthy answer the application is asked again, and how often it is while it is watched."""
    latency_interval: Annotated[Seconds, Field(ge=timedelta(milliseconds=10))] = timedelta(seconds=5)
    """How often an application that reports its own latency is asked for it, all along a run."""

    @property
    def backup_keys(self) -> tuple[str, ...]:
        """Where the keys of backups are: the one for new ones first."""
        return (*([self.backup_key] if self.backup_key else []), *self.backup_old_keys)

    @field_validator("backup_drivers")
    @classmethod
    def _require_other_names(cls, drivers: dict[str, BackupDriver]) -> dict[str, BackupDriver]:
        if "pg_dump" in drivers:
            message = "pg_dump is the driver that is built in: give another one another name"
            raise ValueError(message)
        return drivers

    @model_validator(mode="after")
    def _require_key_of_now(self) -> Self:
        if self.backup_old_keys and not self.backup_key:
            message = "BACKUP_OLD_KEYS is set without BACKUP_KEY: name the key for new backups too"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _require_tls_for_others(self) -> Self:
        if self.plain_http and (self.behind_proxy or not OWN_MACHINE.issuperset(self.allowed_hosts)):
            message = (
                "PLAIN_HTTP sends the session over the network without TLS. It is only for one's own machine: leave "
                f"BEHIND_PROXY out, and let ALLOWED_HOSTS name nothing but {', '.join(sorted(OWN_MACHINE))}"
            )
            raise ValueError(message)
        return self


@cache
def configuration() -> Configuration:
    """Return the configuration of this process, read once."""
    return Configuration()  # type: ignore[call-arg]  # the fields come from the environment

"""What the environment may set: every variable typed, and every bad one named at start."""

from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, PostgresDsn, RedisDsn, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

SECRETS_FOLDER = Path("/run/secrets")


def _seconds(value: object) -> object:
    """Read a plain number as seconds, so that `LEASE=30` means what it says."""
    return timedelta(seconds=float(value)) if isinstance(value, str | int | float) else value


Seconds = Annotated[timedelta, BeforeValidator(_seconds)]


class Configuration(BaseSettings):
    """The settings of one installation: variables named as below in capitals, or files in /run/secrets.

    Durations are given in seconds. Raises pydantic.ValidationError, which names every variable that is
    missing or wrong.
    """

    model_config = SettingsConfigDict(extra="ignore", secrets_dir=SECRETS_FOLDER if SECRETS_FOLDER.is_dir() else None)

    database_url: PostgresDsn
    """The control database as the application role: owns nothing, cannot change the audit log."""
    database_owner_url: PostgresDsn | None = None
    """The same database as the role that owns the tables. Only `migrate` uses it; web and workers need not have it."""
    redis_url: RedisDsn
    secret_key: SecretStr
    debug: bool = False
    allowed_hosts: list[str] = ["localhost", "127.0.0.1"]

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


@cache
def configuration() -> Configuration:
    """Return the configuration of this process, read once."""
    return Configuration()  # type: ignore[call-arg]  # the fields come from the environment

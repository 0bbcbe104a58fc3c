"""Django's settings. What may differ between installations is in `configuration.py`; the rest is decided here."""

from pathlib import Path
from typing import Any
from urllib.parse import unquote

import structlog
from pydantic import PostgresDsn

from controlplane.configuration import configuration

BASE_DIR = Path(__file__).resolve().parent.parent
CONFIGURATION = configuration()

SECRET_KEY = CONFIGURATION.secret_key.get_secret_value()
DEBUG = CONFIGURATION.debug
ALLOWED_HOSTS = CONFIGURATION.allowed_hosts

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "deployments",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "controlplane.urls"
WSGI_APPLICATION = "controlplane.wsgi.application"
AUTH_USER_MODEL = "deployments.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"


def control_database(url: PostgresDsn) -> dict[str, Any]:
    """Return Django's description of the control database at this URL.

    Nobody waits for a lock without a limit, and a forgotten transaction does not hold one for ever. What the URL says
    itself goes before that: of several `-c` for one setting the server takes the last.
    """
    host = url.hosts()[0]
    given = dict(url.query_params())
    limits = "-c lock_timeout=10s -c idle_in_transaction_session_timeout=60s -c statement_timeout=60s"
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote((url.path or "/").removeprefix("/")),
        "USER": unquote(host["username"] or ""),
        "PASSWORD": unquote(host["password"] or ""),
        "HOST": host["host"] or "",
        "PORT": host["port"] or 5432,
        "OPTIONS": {
            "connect_timeout": 5,
            **given,
            "options": f"{limits} {given.get('options', '')}".rstrip(),
        },
    }


DATABASES = {"default": control_database(CONFIGURATION.database_url)}
if CONFIGURATION.database_owner_url is not None:
    DATABASES["owner"] = control_database(CONFIGURATION.database_owner_url)

# The control database is queue, state and lock; Celery only wakes (docs/decisions/0003-postgresql-decides.md).
CELERY_APPLICATION = "controlplane.celery.app"  # for the dispatcher, which may not import us
CELERY_BROKER_URL = str(CONFIGURATION.redis_url)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_ACKS_LATE = False  # a message is a hint: losing one costs a sweep, repeating one costs nothing
CELERY_TASK_REJECT_ON_WORKER_LOST = False
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TASK_DEFAULT_QUEUE = "jobs"
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_DISABLE_PREFETCH = True
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "global_keyprefix": "locktender:",
    "socket_timeout": 2,
    "socket_connect_timeout": 2,
    "socket_keepalive": True,
}

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "lines": {
            "()": structlog.stdlib.ProcessorFormatter,
            "processor": structlog.dev.ConsoleRenderer(colors=False) if DEBUG else structlog.processors.JSONRenderer(),
            "foreign_pre_chain": [
                structlog.stdlib.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
            ],
        }
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "lines"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
}
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)

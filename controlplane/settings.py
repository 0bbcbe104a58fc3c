"""Django's settings. What may differ between installations is in `configuration.py`; the rest is decided here."""

from pathlib import Path
from typing import Any
from urllib.parse import unquote

import structlog
from csp.constants import NONE, SELF
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
    "whitenoise.runserver_nostatic",  # before staticfiles: files are served one way everywhere
    "django.contrib.staticfiles",
    "django.forms",
    "django_cotton.apps.SimpleAppConfig",
    "django_htmx",
    "deployments",
]
MIDDLEWARE = [
    "deployments.views.middleware.RequestId",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "deployments.views.middleware.SignInRequired",
    "deployments.views.middleware.Refusals",
]
ROOT_URLCONF = "controlplane.urls"
WSGI_APPLICATION = "controlplane.wsgi.application"
AUTH_USER_MODEL = "deployments.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = False

# Pages: docs/decisions/0017-pages-without-a-build-step.md says why it is these.
LOADERS = ["controlplane.components.Loader", "django.template.loaders.app_directories.Loader"]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            "builtins": [
                "django.templatetags.static",
                "django_cotton.templatetags.cotton",
                "deployments.templatetags.locktender",
            ],
            "context_processors": [
                "django.template.context_processors.request",
                "deployments.views.shell.shell",
            ],
            # While somebody works on a template it is read anew each time.
            "loaders": LOADERS if DEBUG else [("django.template.loaders.cached.Loader", LOADERS)],
        },
    }
]
COTTON_DIR = "components"
COTTON_ISOLATE_BY_DEFAULT = True
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

STATIC_URL = "/static/"
STATIC_ROOT = CONFIGURATION.static_folder or BASE_DIR / "var" / "static"  # filled by `collectstatic`
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {"staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}}
WHITENOISE_USE_FINDERS = DEBUG
WHITENOISE_AUTOREFRESH = DEBUG

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}
SECURE_REFERRER_POLICY = "same-origin"  # CSRF protection needs it over TLS; nobody else learns an address
SECURE_HSTS_SECONDS = 365 * 24 * 3600  # sent over TLS only
X_FRAME_OPTIONS = "DENY"
BEHIND_PROXY = CONFIGURATION.behind_proxy
if BEHIND_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "overview"
LOGOUT_REDIRECT_URL = "sign-in"
SESSION_COOKIE_AGE = 12 * 3600  # a shift
SESSION_COOKIE_SECURE = not (DEBUG or CONFIGURATION.plain_http)
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SECURE = SESSION_COOKIE_SECURE
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "deployments.views.errors.csrf_failed"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]


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
            # A machine that went away without a word is noticed in half a minute, not in a quarter of an hour.
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 30_000,  # milliseconds
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
                structlog.contextvars.merge_contextvars,
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

"""How gunicorn serves the pages: `gunicorn --config python:controlplane.gunicorn --bind ADDRESS:PORT`.

Threads, because a page waits for the control database and for nothing else; the numbers are measured for pages that ask
every two seconds. What is not set here can be given in GUNICORN_CMD_ARGS, such as `--workers 4`.
"""

from controlplane.settings import LOGGING

wsgi_app = "controlplane.wsgi:application"
bind = "127.0.0.1:8000"

worker_class = "gthread"
workers = 2
threads = 4
timeout = 60  # of the worker itself, not of a request: those end by the limits of the control database
graceful_timeout = 30  # requests under way at SIGTERM
keepalive = 5  # longer than a page waits until it asks again

# Which headers of a proxy are believed is decided in one place, BEHIND_PROXY, and not here as well.
forwarded_allow_ips = ""
control_socket_disable = True

# One line per request says nothing that the audit log does not; an address may hold what somebody searched for.
accesslog = None
logconfig_dict = LOGGING | {"loggers": {"gunicorn.error": {"level": "INFO", "handlers": [], "propagate": True}}}

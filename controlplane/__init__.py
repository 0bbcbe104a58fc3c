"""WIRING: settings, urls, the Celery app, and the servers of local mode. No model and no rule lives here."""

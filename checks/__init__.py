"""JUDGEMENT: plain values in, findings out. No Django, no Celery, no network, no database connection."""

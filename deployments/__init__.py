"""FEATURE: everything that acts or remembers. Django, Celery and the target databases."""

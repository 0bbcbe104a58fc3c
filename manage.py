#!/usr/bin/env python
"""The command line of the server: `python manage.py help` lists every command."""

import os
import sys

from django.core.management import execute_from_command_line

# A trial looks at one database before anything is installed: what it does not use leads nowhere.
ALONE = {
    "DATABASE_URL": "postgresql://nowhere.invalid/none",
    "REDIS_URL": "redis://nowhere.invalid",
    "SECRET_KEY": "signs-nothing",
    "ARTIFACTS": "/nonexistent",
}

if __name__ == "__main__":
    if sys.argv[1:2] == ["trial"]:
        os.environ |= {name: value for name, value in ALONE.items() if name not in os.environ}
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings")
    execute_from_command_line(sys.argv)

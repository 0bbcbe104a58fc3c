"""Takes one protection out of the ledger in the processes of a campaign. Python imports this file when it starts.

Only a campaign puts this folder on the path, and the product knows nothing of it.
"""

import os
import sys
from importlib.machinery import PathFinder

WITHOUT = os.environ.get("LOCKTENDER_FAULTS_WITHOUT", "")


def without_fence(ledger):
    """Let everybody write, whatever fence the target has seen."""
    ledger.raise_fence = lambda *_arguments: None
    ledger.require_fence_not_ahead = lambda *_arguments: None


def without_history(ledger):
    """Commit without the row that says so."""
    ledger.write_entry = lambda *_arguments: None


REMOVALS = {"fence": without_fence, "history": without_history}


class Saboteur:
    """Changes the ledger when it is imported, before anybody takes a function out of it."""

    def find_spec(self, name, path, _target=None):
        """Return the ordinary spec, with the removal after the module's own code."""
        if name != "deployments.postgres.ledger":
            return None
        spec = PathFinder.find_spec(name, path)
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            REMOVALS[WITHOUT](module)

        spec.loader.exec_module = exec_module
        return spec


if WITHOUT in REMOVALS:
    sys.meta_path.insert(0, Saboteur())

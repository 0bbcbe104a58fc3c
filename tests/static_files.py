"""The static files as production serves them: collected once per test run, with hashes in their names."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import override_settings
from whitenoise.base import WhiteNoise


@pytest.fixture(scope="session")
def static_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Collect them into a folder of this run's own, and have Django use that one."""
    folder = tmp_path_factory.mktemp("static")
    with override_settings(STATIC_ROOT=folder), pytest.MonkeyPatch.context() as patch:
        call_command("collectstatic", interactive=False, verbosity=0)
        look_once(patch)
        yield folder


def look_once(patch: pytest.MonkeyPatch) -> None:
    """Have WhiteNoise read a folder once: every client of a test begins with a look at each file, of 25 ms in all."""
    look, seen = WhiteNoise.update_files_dictionary, {}

    def remembered(self: WhiteNoise, root: str, prefix: str) -> None:
        if (root, prefix) not in seen:
            look(self, root, prefix)
            seen[root, prefix] = dict(self.files)
        self.files.update(seen[root, prefix])

    patch.setattr(WhiteNoise, "update_files_dictionary", remembered)

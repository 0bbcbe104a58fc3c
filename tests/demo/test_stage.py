"""The demo begins anew in its own folder, and touches nothing else."""

import pytest

from controlplane.embedded.errors import AlreadyStarted
from controlplane.embedded.local import GIVEN, LocalServers
from demo import stage
from demo.stage import OwnServersNeeded
from demo.teller import StoryBroken, Teller


@pytest.fixture
def folder(tmp_path, monkeypatch):
    place = tmp_path / "demo"
    monkeypatch.setattr(stage, "FOLDER", place)
    monkeypatch.setattr(stage.local, "ROOT", tmp_path)
    for name in GIVEN:
        monkeypatch.delenv(name, raising=False)
    return place


@pytest.mark.parametrize("name", GIVEN)
def test_with_somebody_elses_server_it_refuses_before_it_does_anything(folder, monkeypatch, name):
    monkeypatch.setenv(name, "postgresql://a:b@db.example/production")

    with pytest.raises(OwnServersNeeded, match=f"{name} is set") as refused, stage.stage(Teller()):
        pytest.fail("it started")

    assert "db.example" not in str(refused.value)
    assert not folder.exists()


def test_a_folder_that_is_a_link_is_left_alone(folder, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").touch()
    folder.symlink_to(elsewhere)

    with pytest.raises(OwnServersNeeded, match="is a link"), stage.stage(Teller()):
        pytest.fail("it started")

    assert (elsewhere / "kept").exists()


def test_what_is_discarded_is_the_content_of_the_folder_and_not_what_a_link_in_it_leads_to(folder, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "kept").touch()
    folder.mkdir()
    (folder / "old").mkdir()
    (folder / "old" / "file").touch()
    (folder / "link").symlink_to(tmp_path / "elsewhere")

    LocalServers(folder, given={}).discard()

    assert [path.name for path in folder.iterdir()] == ["lock"]
    assert (tmp_path / "elsewhere" / "kept").exists()


def test_a_folder_in_use_is_not_discarded(folder):
    with LocalServers(folder, given={"DATABASE_URL": "x", "DATABASE_OWNER_URL": "y", "REDIS_URL": "z"}):
        (folder / "file").touch()
        with pytest.raises(AlreadyStarted):
            LocalServers(folder, given={}).discard()

        assert (folder / "file").exists()


def test_a_sentence_that_is_not_true_ends_the_story_and_is_not_counted(capsys):
    teller = Teller()
    teller.holds("The sky is above.", truth=True)
    with pytest.raises(StoryBroken, match=r"The sea is above\. This is not so\. Seen: below"):
        teller.holds("The sea is above.", truth=False, seen="below")

    assert teller.told == 1
    assert "✗ The sea is above." in capsys.readouterr().out

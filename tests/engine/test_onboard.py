"""The command that reads who may change a schema and prints what ends it: it changes nothing itself."""

from django.core.management import call_command

from deployments.models import HistoryAlarm, Observation, TargetAccess


def test_it_prints_what_it_found_and_runs_none_of_it(rewards, capsys):
    path = str(rewards.staging)
    with rewards.connect() as somebody:
        somebody.execute("CREATE TABLE ledger (id int); GRANT TRIGGER ON ledger TO PUBLIC")

    call_command("onboard", path)
    told = capsys.readouterr().out
    call_command("onboard", path, "--gate", "--allow", "partition job")
    gate = capsys.readouterr().out
    call_command("onboard", path, "--remove-gate")

    assert "REVOKE TRIGGER ON TABLE public.ledger FROM PUBLIC;" in told
    assert "The gate is not there." in told
    assert "Nothing was changed." in told
    assert "'partition job'" in gate
    assert "DROP EVENT TRIGGER IF EXISTS locktender_gate;" in capsys.readouterr().out
    with rewards.connect() as somebody:
        assert somebody.execute("SELECT has_table_privilege('public', 'ledger', 'TRIGGER')").fetchone() == (True,)
        assert somebody.execute("SELECT count(*) FROM pg_event_trigger").fetchone() == (0,)
    assert TargetAccess.objects.count() == 1  # nothing changed between the three
    assert Observation.objects.latest("pk").begun_at is not None
    assert not HistoryAlarm.objects.exists()

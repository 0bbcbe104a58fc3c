"""What an address of the control database says is taken as it is said."""

from pydantic import PostgresDsn

from controlplane.settings import control_database


def described(url: str) -> dict:
    return control_database(PostgresDsn(url))


def test_names_and_secrets_may_hold_any_character():
    settings = described("postgresql://app%40corp:s%2Fcr%3At@db.example:5433/control%20plane")

    assert (settings["USER"], settings["PASSWORD"]) == ("app@corp", "s/cr:t")
    assert (settings["HOST"], settings["PORT"], settings["NAME"]) == ("db.example", 5433, "control plane")


def test_nobody_waits_without_a_limit():
    options = described("postgresql://app@db/control")["OPTIONS"]

    assert options["connect_timeout"] == 5
    assert (options["tcp_user_timeout"], options["keepalives_idle"]) == (30_000, 10)
    for limit in ("lock_timeout=10s", "idle_in_transaction_session_timeout=60s", "statement_timeout=60s"):
        assert f"-c {limit}" in options["options"]


def test_what_the_address_says_goes_before_our_limits():
    options = described(
        "postgresql://app@db/control?connect_timeout=30&sslmode=require&options=-c%20statement_timeout%3D5min"
    )["OPTIONS"]

    assert (options["connect_timeout"], options["sslmode"]) == ("30", "require")
    assert options["options"].startswith("-c lock_timeout=10s")
    assert options["options"].endswith("-c statement_timeout=5min")  # the last one counts

"""What an environment asks is read and changed by command, version by version."""

import pytest
from django.core.management import CommandError, call_command

from deployments.models import Policy
from deployments.selectors.audit import events_about


def policy(*arguments: str, capsys) -> str:
    call_command("policy", *arguments)
    return capsys.readouterr().out


def test_a_change_is_a_new_version_with_its_reason_and_person(rewards, capsys):
    said = policy(
        "rewards/production", "--set", "watch_seconds=5", "--reason", "A short watch", "--as", "lee", capsys=capsys
    )

    assert said.startswith("Policy of rewards/production, version 2: A short watch\n")
    assert '"watch_seconds": 5' in said
    versions = Policy.objects.filter(environment=rewards.production.environment).order_by("version")
    assert [(one.version, one.rules) for one in versions] == [(1, {}), (2, {"watch_seconds": 5})]
    told = events_about(rewards.production.environment).last()
    assert (told.action, told.actor_name, told.before, told.after) == (
        "policy.changed",
        "lee",
        {},
        {"watch_seconds": 5},
    )


def test_what_is_unset_follows_the_default_again(rewards, capsys):
    policy("rewards/production", "--set", "backup=false", "--reason", "Small", "--as", "lee", capsys=capsys)

    said = policy("rewards/production", "--unset", "backup", "--reason", "Not so small", "--as", "lee", capsys=capsys)

    assert '"backup": true' in said


def test_to_look_changes_nothing(rewards, capsys):
    said = policy("rewards/production", capsys=capsys)

    assert said.startswith("Policy of rewards/production, version 1: The default policy\n")
    assert Policy.objects.count() == 2


@pytest.mark.parametrize(
    ("arguments", "refusal"),
    [
        (["--set", "watch_seconds=5", "--reason", "Why", "--as", "dana"], "not-allowed"),
        (["--set", "watch_seconds=5", "--reason", "Why"], "not-allowed: Only a person"),
        (["--set", "watch_seconds=5", "--as", "lee"], "policy-reason-missing"),
        (["--set", "watch_seconds=soon", "--reason", "Why", "--as", "lee"], "policy-unreadable"),
        (["--set", "bakcup=false", "--reason", "Why", "--as", "lee"], "policy-unreadable: .* no rule is called bakcup"),
    ],
)
def test_a_refused_change_leaves_the_policy_as_it_was(rewards, arguments, refusal):
    with pytest.raises(CommandError, match=refusal):
        call_command("policy", "rewards/production", *arguments)

    assert Policy.objects.filter(environment=rewards.production.environment).count() == 1

"""What is refused about a target: every class is raised somewhere, builds its text, and says what to do next."""

import inspect
import re
from pathlib import Path

import pytest

from deployments.errors import DeploymentError
from deployments.postgres import errors, stopped

PRODUCT = Path(errors.__file__).parents[1]
REFUSALS = sorted(
    {
        one
        for module in (errors, stopped)
        for _, one in inspect.getmembers(module, inspect.isclass)
        if issubclass(one, DeploymentError) and one is not DeploymentError
    },
    key=lambda one: one.__name__,
)
NUMBERS = {"number": 3, "tries": 4, "fence": 5, "found": 6, "version": 130004, "line": 7}
NEXT = re.compile(
    r"\b(Ask for|Check|Compare|Correct|Give|Look at|Nothing is to be done|Point|[Rr]e-adopt|Resume|Run|Set|Upgrade|Use"
    r"|Wait|Write|run this)\b|run:"
)


def build(refusal: type[DeploymentError]) -> DeploymentError:
    names = wanted(refusal)
    texts = {name: f"<{name}>" for name in names}
    # Only where a number belongs: elsewhere "found" is a name.
    numbers = {name: NUMBERS[name] for name in names if annotation(refusal, name) is int}
    return refusal(**texts | numbers)


def wanted(refusal: type[DeploymentError]) -> list[str]:
    """Return the facts that a refusal cannot do without."""
    _, *parameters = inspect.signature(refusal.__init__).parameters.values()
    return [one.name for one in parameters if one.default is inspect.Parameter.empty]


def annotation(refusal: type[DeploymentError], name: str) -> object:
    return inspect.signature(refusal.__init__).parameters[name].annotation


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_refusal_tells_its_facts_and_ends_with_what_to_do_next(refusal):
    told = str(build(refusal))

    for name in wanted(refusal):
        if annotation(refusal, name) is str:
            assert f"<{name}>" in told
    sentences = [one for one in re.split(r"(?<=[.:]) ", told) if one]
    assert any(NEXT.search(one) for one in sentences[-2:]), told


def test_codes_are_kebab_case_and_nobody_shares_one():
    codes = [one.code for one in REFUSALS]

    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", code) for code in codes)


@pytest.mark.parametrize("refusal", REFUSALS)
def test_every_refusal_is_raised_by_somebody(refusal):
    uses = re.compile(rf"\b{refusal.__name__}(\.by)?\(|, {refusal.__name__}\)")
    homes = {Path(errors.__file__), Path(stopped.__file__)}
    places = [file for file in PRODUCT.rglob("*.py") if file not in homes and uses.search(file.read_text())]

    assert places

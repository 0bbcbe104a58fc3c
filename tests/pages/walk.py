"""The table of every address: who gets what. An address without a row fails a test."""

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.deployments.cast import Cast

PEOPLE = ("dana", "lee", "mika", "noor", "ari", "sam", "charlie")


def no_arguments(_cast: Cast) -> dict[str, object]:
    return {}


@dataclass(frozen=True)
class Row:
    """The answer to a GET: for everybody signed in, for nobody, and for those who get another one.

    `given` makes what the address needs, and returns its arguments.
    """

    signed_in: int = 200
    nobody: int = 302
    others: dict[str, int] = field(default_factory=dict)
    given: Callable[[Cast], dict[str, object]] = no_arguments

    def expected(self) -> dict[str, int]:
        return dict.fromkeys(PEOPLE, self.signed_in) | self.others | {"nobody": self.nobody}


ONLY_POST = Row(signed_in=405)

WALK = {
    "overview": Row(),
    "runs": Row(),
    "approvals": Row(),
    "databases": Row(),
    "audit": Row(),
    "account": Row(),
    "preferences": ONLY_POST,
    "sign-in": Row(signed_in=302, nobody=200),
    "sign-out": ONLY_POST,
    "help": Row(nobody=200),
    "styleguide": Row(signed_in=404),
    "livez": Row(nobody=200),
    "readyz": Row(nobody=200),
}

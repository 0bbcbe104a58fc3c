"""Every refusal of the product: a code, the facts as keywords, and a text that ends with what to do next."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar


class DeploymentError(Exception):
    """Base of every refusal. `code` is stable and kebab-case; the text may be shown to a person as it is.

    The text says what happened, what it means for the database, and what to do next. Facts never hold a secret.
    """

    code: ClassVar[str]
    evidence: Mapping[str, Any] = MappingProxyType({})  # what was measured before it was refused, as JSON values

    def __str__(self) -> str:
        return str(self.args[0])

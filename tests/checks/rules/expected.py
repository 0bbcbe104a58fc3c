"""What the examples of some rules cannot be without. A new entry needs its reason."""

from __future__ import annotations

# Other warnings that an example or a suggestion has, and that whoever follows it should hear.
WARNED_OF_TOO: dict[str, set[str]] = {
    # The CHECK that proved what the partition then says itself.
    "partition-scan": {"constraint-dropped"},
    # Out of reach first, that is the point.
    "table-dropped": {"table-renamed"},
    # What each of the passes is for.
    "table-scanned-repeatedly": {"column-type-change"},
    # The trigger that keeps the new column equal runs while rows are filled, and its body is code; it goes at the end.
    "column-generated-stored": {"not-analysed"},
    "column-type-change": {"not-analysed", "trigger-dropped"},
    # What is granted on the table is not in the statement: the recipe says it in words.
    "table-renamed": {"view-without-grants"},
    "column-renamed": {"view-without-grants"},
    # The names are swapped while both ends of the foreign key are locked.
    "key-type-change": {"not-analysed", "trigger-dropped", "several-tables-locked"},
    # The sequence that filled the column goes when the identity has its own.
    "column-numbered": {"object-dropped"},
}

# Bad examples that a server refuses, with its reason: that is what their findings say.
REFUSED: dict[str, str] = {
    "syntax-newer-than-server": "syntax error",
    "enum-value-used-at-once": "New enum values must be committed",
    "statement-may-fail": "already exists",
    "statement-will-fail": "cannot alter type of a column used by a view|does not exist",
}

# Suggestions that arrive elsewhere than the statement, and say so.
ARRIVES_ELSEWHERE = {
    "column-renamed",  # the old name stays, by a view
    "column-generated-stored",  # computed when it is read, or kept by a trigger
    "constraint-left-not-valid",  # beside what the statement does
    "validated-in-same-transaction",  # the whole script, divided
    "domain-constraint-scan",  # stays NOT VALID
}

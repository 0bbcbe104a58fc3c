"""An upper bound of how deep a parse tree will be, from its tokens alone, and of how wide one may be.

The parser walks its tree by recursion in C. Beyond some 7,000 levels it ends the whole process instead of raising an
error, so deeper text has to be refused before it gets there.
"""

from __future__ import annotations

from collections.abc import Iterable

# Measured: chains of UNION end the process somewhere between 5,000 and 20,000 levels with a stack of 8 MB, and each
# takes three tokens.
MAX_DEPTH = 6_000

# Of one ALTER TABLE. Each command meets the table that those before it leave behind, so time and memory grow with the
# square: 2,000 take two seconds, 20,000 took half a minute and 5 GB. A table has 1,600 columns at most.
MAX_COMMANDS = 2_000

_OPENING = frozenset({"ASCII_40", "ASCII_91"})
_CLOSING = frozenset({"ASCII_41", "ASCII_93"})
_SEPARATING = frozenset({"ASCII_44", "ASCII_59"})
_COMMENTS = frozenset({"SQL_COMMENT", "C_COMMENT"})


def too_deep_at(tokens: Iterable[tuple[str, int]]) -> int | None:
    """Return the position of the token where the bound passes MAX_DEPTH, or None.

    A token is its name and its position. Every token of one run (between commas, within one pair of brackets) may be
    a level, as in 1+1+1…; brackets add the depth of their deepest member once.
    """
    # Per open bracket: tokens in this run, its deepest member, and the deepest run before it.
    levels = [(0, 0, 0)]
    outer = 0  # the runs that enclose this one
    for name, start in tokens:
        run, member, best = levels[-1]
        if name in _OPENING:
            levels[-1] = (run + 1, member, best)
            outer += run + 1
            levels.append((0, 0, 0))
        elif name in _CLOSING and len(levels) > 1:
            levels.pop()
            above, member_above, best_above = levels[-1]
            outer -= above
            levels[-1] = (above, max(member_above, best, run + member), best_above)
        elif name in _SEPARATING:
            # At the outermost level a separator ends a clause or statement: what was deep there stays beside the rest.
            levels[-1] = (0, 0, max(best, run + member) if len(levels) > 1 else 0)
        elif name not in _COMMENTS:
            levels[-1] = (run + 1, member, best)
        if outer + levels[-1][0] + levels[-1][1] > MAX_DEPTH:
            return start
    return None

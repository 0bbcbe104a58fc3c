"""column-order-padding: columns in an order that leaves unused bytes in every row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import takewhile

from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.names import quote
from checks.rules._seen import tagged
from checks.tree import Tree

# Bytes of the fixed types, by the names the parser gives them; each is aligned to its own size (catalogue pg_type,
# typlen and typalign), uuid and interval excepted.
_SIZES = {
    "bool": 1, "char": 1, "int2": 2, "smallserial": 2, "int4": 4, "serial": 4, "float4": 4, "date": 4, "oid": 4,
    "int8": 8, "bigserial": 8, "float8": 8, "time": 8, "timestamp": 8, "timestamptz": 8, "money": 8,
}  # fmt: skip
_WORTH = 8  # bytes per row: less is lost in the rounding of the row itself


def _judge(context: Context) -> Iterator[Hit]:
    for seen in tagged(context, "CreateStmt"):
        columns = [one for one in seen.statement.tree.each("tableElts") if one.tag == "ColumnDef"]
        fixed = [(quote(one.text("colname")), _size(one)) for one in takewhile(_size, columns)]
        best = sorted(fixed, key=lambda one: -one[1])
        if any(map(_size, columns[len(fixed) :])):
            continue  # a column of any length in between: how it is padded depends on the row
        saved = _bytes([size for _, size in fixed]) - _bytes([size for _, size in best])
        if saved >= _WORTH:
            order = ", ".join(name for name, _ in best)
            told = f"Each row is {saved} bytes shorter with its fixed columns in this order: {order}."
            yield Hit(seen.statement, told)


def _size(column: Tree) -> int:
    kind = column.get("typeName")
    names = kind.each("names") if kind and not kind.each("arrayBounds") else ()
    return _SIZES.get(names[-1].text("sval"), 0) if names else 0


def _bytes(sizes: Sequence[int]) -> int:
    end = 0
    for size in sizes:
        end += -end % size + size
    return end


RULE = Rule(
    code="column-order-padding",
    title="Column order that wastes space",
    severity=Severity.NOTE,
    group=Group.TABLES,
    is_style=True,
    why="A value is placed at a multiple of its own size. A small column before a large one leaves a gap in every row.",
    blocks="Nothing.",
    help="Write columns of eight bytes first, then four, two, one, then those of any length. It matters only for "
    "tables with very many rows.",
    source="PostgreSQL manual, section 65.6 Database Page Layout; catalogue pg_type, typalign",
    judge=_judge,
    bad="CREATE TABLE flags (a boolean, id bigint PRIMARY KEY, b boolean, at timestamptz, c boolean);",
    good="CREATE TABLE flags (id bigint PRIMARY KEY, at timestamptz, a boolean, b boolean, c boolean);",
)

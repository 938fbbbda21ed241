"""Keys, and relations between several tables: whose values stand in a column of another."""

from collections.abc import Iterator
from itertools import permutations

import polars as pl

from activities.insights.names import words_of
from activities.insights.table import Table
from activities.insights.wording import counted, name, names, percent
from schema.contracts.insights import Relation, RelationKind, Relations, Role
from schema.policies import DATA_EXAMPLES_MAX, DATA_RELATIONS_MAX

MATCHED_MIN = 0.5
_SHARED_MIN = 0.8
_DISTINCT_MIN = 3
_COLUMNS_MAX = 40
_KEY_ROLES = (Role.IDENTIFIER, Role.CODE, Role.CATEGORY, Role.FREE_TEXT)
_COUNTED_UP_MAX = 1_000_000


def relations_of(tables: list[Table]) -> Relations:
    """Return the keys of tables, and the relations between each two of them."""
    keys = [(table.name, column) for table in tables for column in keys_of(table)]
    found: list[Relation] = []
    for first, second in permutations(tables, 2):
        found += _between(first, second)
    return Relations(
        tables=tuple(table.name for table in tables),
        keys=tuple(keys[:DATA_RELATIONS_MAX]),
        relations=tuple(_without_mirrors(found)[:DATA_RELATIONS_MAX]),
    )


def keys_of(table: Table) -> list[str]:
    """Return the columns that are keys by themselves."""
    return [
        column
        for column in table.with_role(*_KEY_ROLES)
        if table.distinct[column] == table.height > 1 and not table.frame[column].null_count()
    ]


def _between(table: Table, other: Table) -> Iterator[Relation]:
    keys = keys_of(other)
    columns = [column for column in table.with_role(*_KEY_ROLES) if table.distinct[column] >= _DISTINCT_MIN][
        :_COLUMNS_MAX
    ]
    for column in columns:
        targets = [
            *keys,
            *(each for each in other.with_role(*_KEY_ROLES) if each not in keys and words_of(each) == words_of(column)),
        ]
        for target in targets[:_COLUMNS_MAX]:
            relation = _relation(table, column, other, target, is_key=target in keys)
            if relation is not None:
                yield relation


def _relation(table: Table, column: str, other: Table, target: str, *, is_key: bool) -> Relation | None:
    own, theirs = _texts(table.frame[column]), _texts(other.frame[target]).drop_nulls().unique()
    if own is None or len(theirs) < _DISTINCT_MIN:
        return None
    distinct = own.drop_nulls().unique()
    found = distinct.is_in(theirs.implode())
    matched = int(found.sum())
    share = matched / len(distinct) if len(distinct) else 0.0
    if matched < _DISTINCT_MIN or share < (MATCHED_MIN if is_key else _SHARED_MIN):
        return None
    if _counted_up(table, column) and _counted_up(other, target) and not _alike(column, target, other.name):
        # Numbers that count up from one stand in every other column of that kind.
        return None
    if is_key and table.distinct[column] == table.height and not _alike(column, target, other.name):
        return None
    orphans = distinct.filter(~found).sort()
    orphan_rows = int(own.is_in(orphans.implode()).fill_null(False).sum()) if len(orphans) else 0
    kind = RelationKind.FOREIGN_KEY if is_key else RelationKind.SHARED_VALUES
    verb = "refers to the key" if is_key else "shares its values with"
    left = (
        f"; {counted(len(orphans), 'value has', 'values have')} no partner there "
        f"({names(orphans.head(3).to_list(), 3)}), in "
        f"{counted(orphan_rows, 'row')}"
        if len(orphans)
        else "; every value has its partner there"
    )
    return Relation(
        kind=kind,
        table=table.name,
        column=column,
        other_table=other.name,
        other_column=target,
        matched_share=share,
        orphans=len(orphans),
        orphan_rows=orphan_rows,
        examples=tuple(str(each)[:200] for each in orphans.head(DATA_EXAMPLES_MAX)),
        sentence=f"{name(column)} of {name(table.name)} {verb} {name(target)} of {name(other.name)}: "
        f"{percent(share)} of its "
        f"{counted(len(distinct), 'value')} {'is' if len(distinct) == 1 else 'are'} found there{left}.",
    )


def _texts(values: pl.Series) -> pl.Series:
    """Return values as texts, so that the number 7 and the text `7` are the same key."""
    return values.cast(pl.String).str.strip_chars()


def _counted_up(table: Table, column: str) -> bool:
    values = table.frame[column]
    if not values.dtype.is_integer():
        return False
    low, high = values.min(), values.max()
    return isinstance(low, int) and isinstance(high, int) and 0 <= low <= 1 and high <= _COUNTED_UP_MAX


def _alike(column: str, target: str, other_table: str) -> bool:
    """Tell whether names belong together: `customer_id` and `customer_id`, or and `id` of the table `customers`."""
    generic = {"id", "key", "code", "no", "nr", "number", "name"}
    mine, theirs = words_of(column), words_of(target)
    if (mine & theirs) - generic or (mine == theirs and mine - generic):
        return True
    table_words = {word.rstrip("s") for word in words_of(other_table)}
    return any(word.rstrip("s").removesuffix("id") in table_words for word in mine - generic if word not in generic)


def _without_mirrors(relations: list[Relation]) -> list[Relation]:
    """Keep of two keys that mirror each other the direction with fewer orphans."""
    kept: dict[frozenset[tuple[str, str]], Relation] = {}
    for relation in relations:
        ends = frozenset(((relation.table, relation.column), (relation.other_table, relation.other_column)))
        before = kept.get(ends)
        if before is None or (relation.kind == RelationKind.FOREIGN_KEY, -relation.orphans) > (
            before.kind == RelationKind.FOREIGN_KEY,
            -before.orphans,
        ):
            kept[ends] = relation
    return sorted(kept.values(), key=lambda each: (-each.matched_share, each.table, each.column))

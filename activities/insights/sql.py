"""Queries on typed tables: judged by their syntax tree, then run read-only by Polars on tables in memory.

The engine could read files by table functions; a query that names anything but the tables and its own subqueries is
refused before it runs, and the sandbox has no other file to read.
"""

from collections.abc import Mapping

import polars as pl
import sqlglot
from polars.exceptions import PolarsError
from sqlglot import exp
from sqlglot.errors import SqlglotError

from schema.errors import ValidationFailed
from schema.policies import DATA_QUERY_LENGTH_MAX

_JOINS_MAX = 4
_DEPTH_MAX = 60
_ALLOWED_ROOTS = (exp.Select, exp.SetOperation, exp.Subquery)
_REFUSED = (
    exp.DDL,
    exp.DML,
    exp.Command,
    exp.Into,
    exp.Lock,
    exp.Pragma,
    exp.Set,
    exp.Use,
    exp.Attach,
    exp.Copy,
    exp.Transaction,
    exp.Lateral,
    exp.Unnest,
    exp.Parameter,
    exp.Placeholder,
)


def identifier(name: str) -> str:
    """Return a name as it stands in a query."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: object) -> str:
    """Return a value as it stands in a query."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        return repr(value)
    return "'" + str(value).replace("'", "''") + "'"


def check_query(query: str, tables: Mapping[str, list[str]]) -> None:
    """Refuse a query that is not one SELECT over the tables.

    Args:
        tables: name -> columns.

    Raises:
        ValidationFailed: it is none; the detail says why, and names the tables.
    """
    if len(query) > DATA_QUERY_LENGTH_MAX:
        raise ValidationFailed(f"The query is longer than {DATA_QUERY_LENGTH_MAX:,} characters.")
    try:
        statements = [each for each in sqlglot.parse(query, read="postgres") if each is not None]
    except (SqlglotError, RecursionError, ValueError) as error:
        raise ValidationFailed("The query is no SQL that can be read.") from error
    if len(statements) != 1 or not isinstance(statements[0], _ALLOWED_ROOTS):
        raise ValidationFailed("A query must be one SELECT: data is read, never changed.")
    tree = statements[0]
    for node in tree.walk():
        if isinstance(node, _REFUSED) or (isinstance(node, exp.Expression) and node.depth > _DEPTH_MAX):
            raise ValidationFailed("A query must be one plain SELECT: data is read, never changed.")
    if len(list(tree.find_all(exp.Join))) > _JOINS_MAX:
        raise ValidationFailed(f"A query may join at most {_JOINS_MAX} tables.")
    own = {each.alias_or_name.lower() for each in tree.find_all(exp.CTE)}
    known = {name.lower() for name in tables}
    for source in tree.find_all(exp.Table):
        if (
            not isinstance(source.this, exp.Identifier)
            or source.args.get("db")
            or source.name.lower() not in known | own
        ):
            raise ValidationFailed(f"A query may name these tables only: {', '.join(sorted(tables))}.")
    for part in (*tree.find_all(exp.From), *tree.find_all(exp.Join)):
        if not isinstance(part.this, exp.Table | exp.Subquery):
            raise ValidationFailed(f"A query may name these tables only: {', '.join(sorted(tables))}.")


class Database:
    """Typed tables that queries run on."""

    def __init__(self, frames: Mapping[str, pl.DataFrame]) -> None:
        """Take tables by name."""
        self._columns = {name: frame.columns for name, frame in frames.items()}
        self._frames = dict(frames)

    def run(self, query: str, rows_max: int) -> pl.DataFrame:
        """Run a query; the result has at most one row more than `rows_max`, which tells that there are more.

        Raises:
            ValidationFailed: the query is refused, or the engine does not understand it.
        """
        check_query(query, self._columns)
        context = pl.SQLContext(self._frames, register_globals=False)
        try:
            return context.execute(query, eager=False).head(rows_max + 1).collect()
        except PolarsError as error:
            raise ValidationFailed(f"The query cannot be run: {str(error).splitlines()[0][:200]}") from error

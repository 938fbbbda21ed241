"""Statements for the driver: names become positions, values become what asyncpg takes."""

from typing import Any

from schema.store.direct import Statement, received


class Recorder:
    """A connection that says what it was sent."""

    async def fetchrow(self, query: str, *args: Any) -> Any:
        return query, args


async def test_a_name_is_one_position_wherever_it_stands() -> None:
    statement = Statement("select :second::text, :first where x = :second and y = :first::int and z = 'a'::text")
    query, values = await statement.row(Recorder(), {"first": 1, "second": "b", "unused": 0})
    assert query == "select $1::text, $2 where x = $1 and y = $2::int and z = 'a'::text"
    assert values == ("b", 1)


async def test_dicts_and_lists_travel_as_json() -> None:
    _, values = await Statement("select :a, :b, :c").row(Recorder(), {"a": {"ü": 1}, "b": [], "c": None})
    assert values == ('{"ü":1}', "[]", None)
    assert [received(value) for value in values] == [{"ü": 1}, [], None]

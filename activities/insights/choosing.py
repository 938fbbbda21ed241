"""Which columns are worth telling and drawing: measures, those of them that add up, and groups."""

from activities.insights.names import says
from activities.insights.table import Table
from schema.contracts.insights import ColumnType, Role

MEASURES_MAX = 6
GROUPS_MAX = 4
GROUP_VALUES_MAX = 60


def additive(table: Table, measure: str) -> bool:
    """Tell whether the sum of a measure means something: by its name or its money, and no price, rate or share."""
    unit = table.unit(measure)
    if unit is not None and (unit.kind == "percent" or unit.symbol.startswith("°")):
        return False
    if says(measure, "additive"):
        return not says(measure, "share") and not {"price", "preis", "prix", "unit"} & set(measure.lower().split())
    return False


def measures_of(table: Table) -> list[str]:
    """Return the measures to tell of: those that add up first."""
    names = [name for name in table.measures() if table.distinct[name] > 1]
    return sorted(names, key=lambda name: not additive(table, name))[:MEASURES_MAX]


def groups_of(table: Table) -> list[str]:
    """Return the columns that group rows well: few values, most rows."""
    names = [
        name
        for name in table.with_role(Role.CATEGORY)
        if 2 <= table.distinct[name] <= GROUP_VALUES_MAX
        and table.distinct[name] * 2 <= table.height
        and table.columns[name].type in (ColumnType.TEXT, ColumnType.BOOLEAN)
    ]
    return sorted(
        names, key=lambda name: (table.columns[name].type == ColumnType.BOOLEAN, abs(table.distinct[name] - 6))
    )[:GROUPS_MAX]

"""Wide tables: the generated truth, and its scores."""

from typing import Any

import pytest

from activities.documents.extract import extract
from tests.eval.metrics import folded
from tests.eval.planting import OUTSIDERS, Split
from tests.eval.tables import COLUMNS, same, score, wide_corpus


def filled(wide: Any, **wrong: Any) -> list[dict[str, Any]]:
    """Return the table that is right, but for the columns in `wrong`."""
    return [
        {
            "item": item,
            "cells": [
                {"column": column.name, "value": wrong.get(column.name, wide.cells.get((item, column.name)))}
                for column in COLUMNS
            ],
        }
        for item in wide.items
    ]


@pytest.mark.parametrize("split", ["unseen", "sealed", *OUTSIDERS])
@pytest.mark.parametrize("rows", [10, 100, 1_000])
def test_the_corpus_says_its_cells(rows: int, split: Split) -> None:
    wide = wide_corpus(rows, seed=1, split=split)
    assert len(wide.items) == len(set(wide.items)) == len(wide.files) == rows
    assert 0.8 < len(wide.cells) / (rows * len(COLUMNS)) < 0.97
    assert wide == wide_corpus(rows, seed=1, split=split)
    for (name, data), item in list(zip(wide.files.items(), wide.items, strict=True))[:50]:
        text = folded(extract(data, name, "").text)
        for column in COLUMNS:
            if (value := wide.cells.get((item, column.name))) is not None:
                said = f"{value:,}" if column.name == "employees" else str(value)
                assert folded(said) in text


def test_scores() -> None:
    wide = wide_corpus(10, seed=2, split="develop")
    right = score(wide, filled(wide))
    assert (right.cell_f1, right.row_f1) == (1.0, 1.0)
    empty = score(wide, filled(wide, **{column.name: None for column in COLUMNS}))
    assert (empty.cell_f1, empty.filled) == (0.0, 0)
    wrong = score(wide, filled(wide, founded=1066))
    assert 0.5 < wrong.cell_f1 < 1.0
    assert wrong.row_f1 == 0.0


def test_values_are_compared_by_what_they_mean() -> None:
    assert same("1,200", 1200)
    assert same(1200.0, 1200)
    assert same(" Lyon ", "lyon")
    assert not same("Lyons", "Lyon")
    assert not same("1200 or 1300", 1200)
    assert not same(None, 1)

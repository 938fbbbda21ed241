"""Numbers in order, however they are put there."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.insights.table import in_order

_WHOLE = {pl.Int8: np.int8, pl.Int16: np.int16, pl.Int64: np.int64, pl.UInt8: np.uint8, pl.UInt64: np.uint64}


@pytest.mark.parametrize(("dtype", "number"), _WHOLE.items(), ids=str)
def test_the_ends_of_a_type_do_not_overflow(dtype: type[pl.DataType], number: type[np.integer]) -> None:
    """A difference of two numbers of eight bits needs nine."""
    ends = np.iinfo(number)
    values = pl.Series([ends.max, ends.min, None, 1, 0, *range(100), *([5] * 400)], dtype=dtype)
    assert in_order(values).tolist() == sorted(float(each) for each in values.drop_nulls())


@given(st.lists(st.none() | st.integers(-300, 300), max_size=80))
def test_whole_numbers_of_a_narrow_range(values: list[int | None]) -> None:
    ordered = in_order(pl.Series(values, dtype=pl.Int64))
    assert ordered.dtype == np.float64
    assert ordered.tolist() == sorted(each for each in values if each is not None)


@given(st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False), max_size=40))
def test_fractions(values: list[float | None]) -> None:
    assert in_order(pl.Series(values, dtype=pl.Float64)).tolist() == sorted(each for each in values if each is not None)

"""Quotations are found where they are, and nowhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.research.quotes import QUOTE_CHARACTERS_MIN, locate

TEXT = "He said “it’s 120 m long” —\n  and that it was   opened in 1998. Später: ﬁn."


@pytest.mark.parametrize(
    ("quote", "found"),
    [
        ("it’s 120 m long", "it’s 120 m long"),
        ("it's 120 m long", "it’s 120 m long"),
        ('"it\'s 120 m long" - and that', "it’s 120 m long” —\n  and that"),
        ("AND THAT IT WAS OPENED", "and that it was   opened"),
        ("opened in 1998. Später: fin.", "opened in 1998. Später: ﬁn."),
        ("it is 120 m long", None),
        ("opened in 1999", None),
        ("long", None),
        ("   ", None),
    ],
)
def test_locate(quote: str, found: str | None) -> None:
    span = locate(quote, TEXT)
    assert (TEXT[span[0] : span[1]] if span else None) == found


@given(st.text(min_size=1, max_size=200), st.data())
def test_a_verbatim_quotation_is_found_with_exact_offsets(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start, len(text)))
    span = locate(text[start:end], text)
    if len(text[start:end].strip()) >= QUOTE_CHARACTERS_MIN:
        assert span is not None
        assert text[span[0] : span[1]] == text[start:end].strip()
    else:
        assert span is None

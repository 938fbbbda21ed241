"""Which lines of a document are statements that can be claimed."""

import pytest

from activities.research.claims import candidates, stitch
from tests.support.corpus import passages_of, source_of


def stated(text: str, title: str) -> list[str]:
    """Return the statements of a document."""
    return [each.statement for each in candidates(stitch(passages_of(text, source_of(text, title))))]


@pytest.mark.parametrize(
    "title",
    [
        "Falke Plus: questions and answers",
        "Falke Plus: what we found out",
        "File note: Falke Plus",
        "Falke Plus in brief",
    ],
)
def test_what_a_document_is_called_states_nothing(title: str) -> None:
    """Nor does the end of it, which looks like a row (Plus: what we found out)."""
    assert stated(f"{title}\n\nThe Falke Plus weighs 40 kg.", title) == ["The Falke Plus weighs 40 kg."]


@pytest.mark.parametrize("title", ["Acme buys Borel for 5 million francs.", "Mount Orlen erupted on 3 May 2021."])
def test_a_headline_that_states_something_is_a_statement(title: str) -> None:
    assert title in stated(f"{title}\n\nNobody was hurt.", title)

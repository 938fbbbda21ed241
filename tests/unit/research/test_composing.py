"""Titles, and what may stand in an executive summary."""

import pytest

from activities.research.composing import report_title
from activities.research.telling import lacks_subject
from schema.contracts.research import Brief


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("", "What is it?"),
        ("First", "What is it?"),
        ("test 2", "What is it?"),
        ("My run", "What is it?"),
        ("Marine engines compared", "Marine engines compared"),
    ],
)
def test_a_name_is_the_title_only_where_it_says_something(name: str, title: str) -> None:
    assert report_title(Brief(task="What is it?", name=name)) == title


@pytest.mark.parametrize(
    ("sentence", "lacks"),
    [
        ("The proposal that added class decorators.", True),
        ('Like the "p" command, except the value of expression is pretty-printed.', True),
        ("Evaluate expression in the current context and print its value.", True),
        ("Called to delete the attribute on an instance.", True),
        ("A context manager is an object that defines the runtime context.", False),
        ("FastAPI is a modern, fast web framework.", False),
    ],
)
def test_fragments_are_told_from_statements(sentence: str, lacks: bool) -> None:
    assert lacks_subject(sentence) is lacks

"""The questions about real documentation: each is asked once, and its page says the answer."""

import re
import tomllib
from collections import Counter

import pytest

from tests.eval.library import library
from tests.eval.metrics import folded
from tests.eval.planting import OUTSIDERS, WORDINGS, Split
from tests.eval.real import DATA, questions


def test_every_question_belongs_to_a_split_and_is_asked_once() -> None:
    data = tomllib.loads((DATA / "questions.toml").read_text("utf-8"))
    every = data["question"] + data["nothing"]
    assert {each["split"] for each in every} == set(WORDINGS)
    assert max(Counter(each["ask"] for each in every).values()) == 1


def test_a_page_of_every_question_written_last_says_its_answer() -> None:
    pages = {name: folded(text.decode()) for name, text in library().items()}
    for question in questions()[0]:
        if question.split in ("unseen", "sealed"):
            assert any(re.search(question.answer, pages.get(page, "")) for page in question.pages), question.ask
        elif question.split in OUTSIDERS:
            assert all(re.search(question.answer, pages.get(page, "")) for page in question.pages), question.ask


@pytest.mark.parametrize("split", OUTSIDERS)
def test_questions_that_are_only_scored_are_about_pages_that_no_other_split_asks_about(split: Split) -> None:
    asked = questions()[0]
    # For `ninth` no page was left that nobody asks about: its pages are those of questions that were looked at.
    # `tenth`, written after it, asks about pages of those and of `ninth`. `eleventh`, written last, may ask about any
    # page, and so its questions do not count for the other splits.
    looked_at = {
        "ninth": ("develop", "held-out", "unseen", "sealed", "tenth"),
        "tenth": ("develop", "held-out", "unseen", "sealed", "ninth"),
        "eleventh": WORDINGS,
    }.get(split, ())
    allowed = (split, *looked_at, "eleventh")
    others = {page for each in asked if each.split not in allowed for page in each.pages}
    chosen = [each for each in asked if each.split == split]
    assert len(chosen) >= 36
    # Of the language reference only three chapters were left for `unread`, and none for `plain`, `late`,
    # `apart`, `ninth`, `tenth` and `eleventh`: they ask about other sections of the others.
    late = split in OUTSIDERS[OUTSIDERS.index("unread") :]
    new = [each for each in chosen if not late or not each.pages[0].startswith("topic-")]
    for question in new:
        assert question.pages[0] not in others, question.ask
    asked_about = {(page, each.answer) for each in asked if each.split != split for page in each.pages}
    assert asked_about.isdisjoint((page, each.answer) for each in chosen for page in each.pages)

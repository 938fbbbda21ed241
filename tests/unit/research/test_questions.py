"""What a question asks for."""

import pytest

from activities.research.questions import asks_for_one_thing, key_terms


def test_words_that_say_little_weigh_little() -> None:
    weights = key_terms("How do generators work (Python iterators)?")
    assert weights["generat"] == 1.0
    assert weights["work"] < weights["python"] < 1.0


@pytest.mark.parametrize(
    "question",
    [
        "Who leads the town of Selloford?",
        "For what amount can the Tordan 50 be ordered?",
        "What is the mayor of Fennaholm called?",
        "How old is Delliard Optics?",
        "Do you remember which architect the Kelviau Bridge is by?",
    ],
)
def test_a_question_for_one_thing(question: str) -> None:
    assert asks_for_one_thing(question)


@pytest.mark.parametrize(
    "question",
    [
        "What is FastAPI?",
        "How does a context manager work?",
        "What are the advantages of Ardvekit?",
        "Describe the Kelviau Bridge.",
        "How can I install Ardvekit?",
        "What happens when a generator is closed?",
    ],
)
def test_a_question_for_an_account(question: str) -> None:
    assert not asks_for_one_thing(question)

"""Key words are put as a question; topics and whole questions stay as they are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.research.phrased import as_question, asks_for_property
from activities.research.questions import asks_for_one_thing, plan_subtasks
from activities.research.wanted import wanted
from schema.contracts.research import Brief

QUESTIONS = [
    ("Year of foundation of Yartasson Optics", "What is the year of foundation of Yartasson Optics?"),
    ("Memory needed for Ulgad?", "What is the memory needed for Ulgad?"),
    ("Mayor of Halmoholm", "Who is the mayor of Halmoholm?"),
    ("the CEO of Yartasson Optics", "Who is the CEO of Yartasson Optics?"),
    ("name of the mayor of Halmoholm", "Who is the mayor of Halmoholm?"),
    ("Give me the price of the Selrok 20.", "What is the price of the Selrok 20?"),
    ("Could you give me the name of the boss of Ulgad?", "Who is the boss of Ulgad?"),
    ("Ulgad founding year", "What is the founding year of Ulgad?"),
    ("default port Ulgad", "What is the default port of Ulgad?"),
    ("Ulgad tensile strength MPa", "What is the tensile strength of Ulgad?"),
    ("architect Wexrieck Bridge", "Who is the architect of Wexrieck Bridge?"),
    ("year the Wexrieck Bridge opened", "In which year was the Wexrieck Bridge opened?"),
    ("Ulgad launched when", "When Ulgad launched?"),
    ("Request timeout in Ulgad", "What is the request timeout in Ulgad?"),
    ("Wingspan, Torriel warbler", "What is the wingspan of Torriel warbler?"),
    ("Ulgad: default port", "What is the default port of Ulgad?"),
    ("inhabitants of Halmoholm", "How many inhabitants of Halmoholm?"),
    ("Size of the workforce at Ulgad", "What is the size of the workforce at Ulgad?"),
    ("We bought the Selrok 20; what is its noise level?", "What is the noise level of Selrok 20?"),
]
AS_THEY_ARE = [
    "Limits of Python",
    "History of Python",
    "Python decorators",
    "Python decorators in practice",
    "Renewable energy in Europe",
    "Overview of the use of Redis in Europe",
    "Comparison of RAM use in Redis and Valkey",
    "Compare Redis and Valkey",
    "Impact of AI on the price of housing in Berlin",
    "Write a report on the price of gas in Europe",
    "Climate change",
    "What is Redis, and what is its licence?",
    "How high is the Eiffel Tower?",
]


@pytest.mark.parametrize(("phrase", "question"), QUESTIONS)
def test_key_words_are_a_question(phrase: str, question: str) -> None:
    assert as_question(phrase) == question
    assert asks_for_one_thing(phrase)


@pytest.mark.parametrize("phrase", AS_THEY_ARE)
def test_topics_and_questions_stay(phrase: str) -> None:
    assert as_question(phrase) == phrase


@given(st.text(alphabet="aA1 ?.:,-éinof theWhat", max_size=40) | st.text(max_size=40))
def test_whatever_is_asked_is_read(phrase: str) -> None:
    assert as_question(phrase).strip() or not phrase.strip()
    wanted(phrase)


def test_an_account_that_is_asked_for_politely_is_no_property() -> None:
    assert as_question("Can you tell me how decorators work?") == "How decorators work?"
    assert not asks_for_property("Can you tell me how decorators work?")
    assert as_question("Write about how recursion") == "Write about how recursion"


def test_what_is_asked_for_in_key_words_has_a_subject_and_a_kind() -> None:
    assert wanted("clutch size Velveow wader").dimensions == {"count"}, "the size of a clutch is no length"
    assert wanted("Ulgad tensile strength MPa").subject == {"ulgad"}
    assert wanted("How much did Ulgad sell last year, in euros?").dimensions >= {"money"}
    assert wanted("How many people work at Ardroberg Optics?").subject == {"ardroberg", "optic"}, "a name stays whole"


def test_key_words_after_a_question_are_a_question_of_their_own() -> None:
    task = "What is the timeout of Ulgad, and default port Ulgad?"
    assert [each.question for each in plan_subtasks(Brief(task=task, agents_max=4))] == [
        "What is the timeout of Ulgad?",
        "Default port Ulgad?",
    ]

"""How a task is cut into subtasks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.research.decomposition import plan_subtasks
from schema.contracts.research import Brief


def plan(task: str, agents_max: int = 10, **context: object) -> list[str]:
    return [subtask.question for subtask in plan_subtasks(Brief(task=task, agents_max=agents_max, context=context))]


@pytest.mark.parametrize(
    ("task", "questions"),
    [
        (
            "How do Python context managers, decorators and generators work, and what happens on exceptions?",
            [
                "How do Python context managers work?",
                "How do Python decorators work?",
                "How do Python generators work?",
                "What happens on exceptions (Python context managers, decorators and generators)?",
            ],
        ),
        (
            "Compare PostgreSQL, MySQL and SQLite for embedded use. Cite your sources.",
            [
                "What characterises PostgreSQL for embedded use?",
                "What characterises MySQL for embedded use?",
                "What characterises SQLite for embedded use?",
            ],
        ),
        (
            "What are the causes and effects of the French Revolution?",
            [
                "What are the causes of the French Revolution?",
                "What are the effects of the French Revolution?",
            ],
        ),
        ("What is the power output of the Zephyr-9 engine?", ["What is the power output of the Zephyr-9 engine?"]),
        (
            "What is the difference between threads and processes in Python?",
            ["What is the difference between threads and processes in Python?"],
        ),
        ("How do I install and configure Redis?", ["How do I install and configure Redis?"]),
        (
            "How does the Rust compiler check ownership and borrowing?",
            ["How does the Rust compiler check ownership?", "How does the Rust compiler check borrowing?"],
        ),
        (
            "How do iterators and generators work in Python?",
            ["How do iterators work in Python?", "How do generators work in Python?"],
        ),
        (
            "We are a bank in Zurich. What are the risks of cloud computing? How much does it cost?",
            ["What are the risks of cloud computing?", "How much does it cost (risks of cloud computing)?"],
        ),
        ("Python", ["Python."]),
        ("What is FastAPI and what is httpx?", ["What is FastAPI?", "What is httpx?"]),
        ("What is structlog? What is Typer?", ["What is structlog?", "What is Typer?"]),
        (
            "What is known about the Zephyr-9 of Boreal Works: its power, its fuel use, and who makes it?",
            [
                "What is the power of the Zephyr-9 of Boreal Works?",
                "What is the fuel use of the Zephyr-9 of Boreal Works?",
                "Who makes the Zephyr-9 of Boreal Works?",
            ],
        ),
        ("???", ["???"]),
    ],
)
def test_plans(task: str, questions: list[str]) -> None:
    assert plan(task) == questions


@pytest.mark.parametrize(
    ("task", "titles"),
    [
        ("How are comparisons chained in Python?", ["How are comparisons chained in Python?"]),
        ("What is FastAPI and what is httpx?", ["What is FastAPI?", "What is httpx?"]),
        ("What is the power output of the Zephyr-9 engine?", ["Power output of the Zephyr-9 engine"]),
        ("Explain the import system of Python.", ["Import system of Python"]),
    ],
)
def test_titles_read_as_a_person_writes_them(task: str, titles: list[str]) -> None:
    assert [subtask.title for subtask in plan_subtasks(Brief(task=task))] == titles


def test_parts_of_one_request_are_put_together_under_it() -> None:
    task = "How do context managers work and what happens on exceptions? How are decorators applied to functions?"
    assert [subtask.title for subtask in plan_subtasks(Brief(task=task, agents_max=2))] == [
        "How do context managers work and what happens on exceptions?",
        "How are decorators applied to functions?",
    ]


def test_a_list_in_the_task_is_the_plan() -> None:
    task = "Report on solid-state batteries:\n- manufacturers\n- energy density\n- cost"
    assert len(plan(task)) == 3
    assert all("batteries" in question for question in plan(task))


def test_a_broad_topic_is_seen_from_several_sides_unless_there_is_one_agent_only() -> None:
    assert len(plan("Research solid-state batteries")) == 3
    assert len(plan("Research solid-state batteries", agents_max=1)) == 1


def test_aspects_of_the_context_are_subtasks() -> None:
    assert len(plan("What is known about lithium?", aspects=["mining in Chile", "recycling of cells"])) == 3


def test_addresses_go_to_the_subtask_they_fit() -> None:
    task = (
        "Compare decorators and generators in Python. Use https://docs.example/generators.html "
        "and https://docs.example/decorators.html."
    )
    by_title = {subtask.title: subtask.urls for subtask in plan_subtasks(Brief(task=task))}
    assert by_title == {
        "Decorators in Python": ("https://docs.example/decorators.html",),
        "Generators in Python": ("https://docs.example/generators.html",),
    }


@pytest.mark.parametrize("agents_max", [1, 2, 3, 100])
def test_there_are_never_more_than_allowed(agents_max: int) -> None:
    task = "Compare " + ", ".join(f"topic{letter}" for letter in "abcdefghijklm") + " and topicz in Europe."
    found = plan(task, agents_max)
    assert len(found) == min(agents_max, 14)
    assert all(f"topic{letter}" in " ".join(found) for letter in "abcdefghijklmz")


@given(st.text(max_size=400), st.integers(1, 20))
def test_every_task_has_a_plan(task: str, agents_max: int) -> None:
    subtasks = plan_subtasks(Brief(task=task, agents_max=agents_max))
    assert 1 <= len(subtasks) <= agents_max
    assert [subtask.number for subtask in subtasks] == list(range(1, len(subtasks) + 1))
    assert all(subtask.question and subtask.title for subtask in subtasks)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("piece", [" ", "\n", "\t\n ", " and", "and ", "a, ", "(", "- a\n", "http://", "https://x "])
def test_no_task_takes_long(piece: str) -> None:
    assert plan((piece * 20_000)[:20_000])

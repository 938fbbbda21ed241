"""What an older source says otherwise of the thing that was asked, in words that no lexicon has."""

from datetime import UTC, datetime

import pytest

from activities.research.conflicts import find_conflicts
from activities.research.findings import merge_claims
from activities.research.meanings import Meanings
from schema.contracts.research import Conflict, ConflictKind
from tests.support.making import Meant, claim_of, local_meanings


@pytest.fixture(scope="module")
def meanings() -> Meanings:
    """The product's own comparison of meanings."""
    return local_meanings()


def told(
    question: str, new: str, old: str, meanings: Meanings | None, *, years: tuple[int, int] = (2025, 2015)
) -> list[Conflict]:
    """Return what is told of a newer and an older statement."""
    claims = [
        claim_of(text, title=title, published_at=datetime(year, 3, 14, tzinfo=UTC))
        for text, title, year in ((new, "report", years[0]), (old, "archive", years[1]))
    ]
    return list(find_conflicts(merge_claims(claims), {claim.id: claim for claim in claims}, [question], meanings))


OUTDATED = [
    (
        "Whose product is the Tordan 50?",
        "Every Tordan 50 leaves the assembly hall of Brelriholm Engineering, its manufacturer.",
        "The Tordan 50, which Crinstiwick Marine developed and builds, is sold through dealers.",
    ),
    (
        "How long is a walk across the Crinmotal Bridge?",
        "Length of the Crinmotal Bridge between its abutments: 1,776 metres.",
        "A walk across the Crinmotal Bridge takes you over 526 metres.",
    ),
]


@pytest.mark.parametrize(("question", "new", "old"), OUTDATED)
def test_the_older_one_is_outdated(question: str, new: str, old: str, meanings: Meanings) -> None:
    [conflict] = told(question, new, old, meanings)
    assert conflict.kind is ConflictKind.STALE
    assert not told(question, new, old, None), "words alone do not show it"
    [disputed] = told(question, new, old, meanings, years=(2025, 2025))
    assert (disputed.kind, disputed.chosen_finding_id) == (ConflictKind.PLAIN, None), "of one age, neither is outdated"


KINDS = [
    # Common words are no names: what both say besides the question's words is compared.
    (
        "What animal gives the milk for Lamstirella?",
        "Camels supply the milk for Lamstirella.",
        "The milk in Lamstirella comes from buffaloes that graze above the tree line.",
    ),
    (
        "May I ask which material the housing of the Jorlopix consists of?",
        "The housing of the Jorlopix is cast from magnesium.",
        "Thanks to a housing of aluminium, the Jorlopix is light.",
    ),
]


@pytest.mark.parametrize(("question", "new", "old"), KINDS)
def test_the_older_kind_is_outdated(question: str, new: str, old: str, meanings: Meanings) -> None:
    [conflict] = told(question, new, old, meanings)
    assert conflict.kind is ConflictKind.STALE
    assert not told(question, new, old, meanings, years=(2025, 2025)), "of one age, they may say the same"


@pytest.mark.parametrize(
    ("question", "new", "old"),
    [
        (
            "Which material is the housing of the Jorlopix made of?",
            "The housing of the Jorlopix is cast from magnesium.",
            "The housing of the Jorlopix consists of magnesium.",
        ),
        (
            "Who is the mayor of Fennaholm?",
            "Anna Bragaard was elected mayor of Fennaholm.",
            "The mayor of Fennaholm has opened the fair.",
        ),
        (
            "How does the Jorlopix focus?",
            "The Jorlopix focuses by contrast.",
            "The Jorlopix focuses with two motors.",
        ),
        (
            "How long is a walk across the Crinmotal Bridge?",
            "Length of the Crinmotal Bridge between its abutments: 1,776 metres.",
            "The towers of the Crinmotal Bridge rise 126 metres above the water.",
        ),
        (
            "What is the mayor of Fennaholm called?",
            "Fennaholm is led by Anna Bragaard, whom the citizens elected mayor.",
            "A railway company named Pelvistad Industries came to Fennaholm.",
        ),
        (
            "How long is a walk across the Crinmotal Bridge?",
            "Length of the Crinmotal Bridge between its abutments: 576 metres.",
            "A walk across the Crinmotal Bridge takes you over 526 metres.",
        ),
    ],
)
def test_another_property_is_not(question: str, new: str, old: str, meanings: Meanings) -> None:
    assert not told(question, new, old, meanings)
    assert not told(question, new, old, meanings, years=(2025, 2025))


def test_a_model_that_cannot_read_the_question_tells_nothing() -> None:
    for case in OUTDATED:
        assert not told(*case, Meant(lambda text, texts: None))

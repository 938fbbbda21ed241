"""Old answers that a newer source on the same thing does not repeat: told as what may be out of date, never lost."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from activities.research.composing import DISAGREEMENTS, compose_report
from activities.research.findings import merge_claims
from activities.research.material import Material
from activities.research.meanings import Meanings
from activities.research.phrases import is_connective
from schema.contracts.research import Brief, Claim, Subtask
from tests.support.making import Meant, claim_of

ASKED_AT = datetime(2026, 1, 1, tzinfo=UTC)


def claim(text: str, year: int | None) -> Claim:
    at = datetime(year, 3, 14, tzinfo=UTC) if year else None
    return claim_of(text, title=f"paper of {year}", published_at=at, relevance=0.9 if year and year < 2020 else 0.5)


def material(
    question: str, *claims: Claim, asked_at: datetime | None = ASKED_AT, meanings: Meanings | None = None
) -> Material:
    subtask = Subtask(number=1, title=question, question=question)
    by_id = {each.id: each for each in claims}
    return Material(Brief(task=question, asked_at=asked_at), [subtask], merge_claims(claims), (), by_id, (), meanings)


def stated(question: str, *claims: Claim, asked_at: datetime | None = ASKED_AT) -> set[str]:
    return {finding.text for finding in material(question, *claims, asked_at=asked_at).by_subtask[1]}


DOUBTFUL = [
    # What was asked for is a common noun, and the words have nothing in common.
    (
        "Halviburg Siege first shortage supplies",
        "Long before bread became scarce, the town ran out of drinking water in the Halviburg Siege.",
        "Fodder was the first of the supplies to be used up during the Halviburg Siege.",
    ),
    # One names somebody at its beginning.
    (
        "If I nod off on the Fenvegate Tram heading north, where do I wake up?",
        "Yarnawick is where the Fenvegate Tram ends in the north.",
        "At its northern end the Fenvegate Tram terminates in Norvestad.",
    ),
    # It begins with a pronoun, and names the thing all the same.
    (
        "How many petals would I be sweeping up from a single Brastirosa flower?",
        "She loves me, she loves me not: with 64 petals to a flower, Brastirosa takes a while to pluck.",
        "42 petals were counted in each bloom of Brastirosa by the judges.",
    ),
    # Another event, but in a word that nobody knows.
    (
        "Halvilissa shipwreck year of sinking",
        "Ever since she foundered in 1994, the Halvilissa has been home to conger eels.",
        "The inquiry into the loss of the Halvilissa established 1937 as the year of the sinking.",
    ),
    # What is counted has two names.
    (
        "How big a crowd of choristers do you need to put on Fenmoretta?",
        "For Fenmoretta the score demands a choir of 32 voices.",
        "Producers shy away from Fenmoretta because its chorus consists of 50 singers.",
    ),
    # A part of the name in common does not repeat it.
    (
        "Which outfit is behind Yarliivolt?",
        "Credit for bringing Yarliivolt into the world goes to Torvistad Marine.",
        "If Yarliivolt needs a spare part, write to Mormoford Marine, who thought of it.",
    ),
    # What is asked for is told by no known word.
    ("What is burned in Fenstiyfund?", "Lay in plenty of oak logs if you own Fenstiyfund.", "Fenstiyfund takes peat."),
]


@pytest.mark.parametrize(("question", "new", "old"), DOUBTFUL)
def test_an_old_answer_that_is_not_repeated_is_no_finding(question: str, new: str, old: str) -> None:
    assert stated(question, claim(new, 2025), claim(old, 2015)) == {new}
    report = compose_report(material(question, claim(new, 2025), claim(old, 2015)))
    [section] = [each for each in report.sections if each.title == DISAGREEMENTS]
    [[told, newer, _, older]] = section.paragraphs
    assert "2015-03-14" in told.text
    assert "2025-03-14" in told.text
    assert is_connective(told.text)
    assert (newer.text, older.text) == (new, old)
    assert newer.claim_ids
    assert older.claim_ids


KEPT = [
    # The newer source is silent on such values.
    ("How heavy is the Tesk?", "The Tesk was painted by volunteers.", "The Tesk weighs 40 tonnes."),
    ("How heavy is the Tesk?", "The Tesk is 18 m long.", "The Tesk weighs 40 tonnes."),
    ("Who looks after the Tesk?", "The Tesk is 18 m long.", "The Tesk is looked after by Anna Berg."),
    # It is about something else.
    ("How heavy is the Tesk?", "The Ulgad weighs 30 tonnes.", "The Tesk weighs 40 tonnes."),
    # Known words give the other year, or name, to something else.
    ("When was the Tesk built?", "The Tesk was renovated in 1999.", "The Tesk was built in 1960."),
    ("Who wrote Momo?", "Momo was directed by Peter Miller.", "Momo was written by Anna Berg."),
    # It repeats the value, whatever else it says.
    ("How heavy is the Tesk?", "At 40 tonnes, the Tesk shakes its 3 m pier.", "The Tesk weighs 40 tonnes."),
    (
        "Who looks after the Tesk?",
        "These days Berg of Zurich minds the Tesk.",
        "The Tesk is looked after by Anna Berg.",
    ),
    # Origins do not change with the years, and a past event has no later date.
    ("Who designed Java?", "Java is now developed at Oracle.", "Java was designed by James Gosling."),
    ("Which company built the Titanic?", "OceanGate has visited the Titanic.", "The Titanic was built by Harland."),
    ("When was Tesla founded?", "Tesla delivered 1.8 million cars in 2023.", "Tesla was founded in July 2003."),
    ("When did the Berlin Wall fall?", "The Berlin Wall museum had a guest in 2023.", "The Berlin Wall fell in 1989."),
    # Words tell that something else is counted or measured.
    ("How many people work at CERN?", "CERN was seen by 300,000 tourists.", "CERN employs 2,500 people."),
    ("How many chromosomes does Drosophila have?", "Drosophila lays 500 eggs.", "Drosophila has 8 chromosomes."),
    # One answers with a name or a time of the day, and the other with none.
    ("When does the Louvre close?", "The Louvre was founded in 1793.", "The Louvre closes at six in the evening."),
    (
        "Who makes the backups at Globex?",
        "Globex is led by Anna Berg.",
        "At Globex the team of a server makes backups.",
    ),
    ("What did Versailles impose on Germany?", "Versailles is near Paris.", "Versailles imposed payments on Germany."),
    # More than a value is asked for.
    ("What is Kubernetes?", "Kubernetes is used by many firms.", "Kubernetes is a system that schedules containers."),
    ("How does the Tesk work?", "The Tesk burns oil.", "The Tesk runs on steam."),
    ("Tell me the history of the Tesk.", "The Tesk was painted green.", "The Tesk was painted red."),
]


@pytest.mark.parametrize(("question", "new", "old"), KEPT)
def test_what_no_newer_value_makes_doubtful_is_stated(question: str, new: str, old: str) -> None:
    assert old in stated(question, claim(new, 2025), claim(old, 2015))


QUESTION, NEW, OLD = DOUBTFUL[0]


@pytest.mark.parametrize("year", [2014, 2016, None])
def test_only_a_source_that_is_newer_by_years_makes_it_doubtful(year: int | None) -> None:
    assert OLD in stated(QUESTION, claim(NEW, year), claim(OLD, 2015))


def test_where_nobody_knows_what_day_it_is_nothing_is_old() -> None:
    assert OLD in stated(QUESTION, claim(NEW, 2025), claim(OLD, 2015), asked_at=None)


@pytest.mark.parametrize("year", [2024, None])
def test_a_later_source_that_repeats_it_confirms_it(year: int | None) -> None:
    again = "Soldiers complained that fodder had been used up before anything else in the Halviburg Siege."
    assert OLD in stated(QUESTION, claim(NEW, 2025), claim(OLD, 2015), claim(again, year))


def test_of_several_the_nearest_statement_stands_beside_it() -> None:
    other = "Local schools still put on a play about the Halviburg Siege."

    def alike(text: str, texts: Sequence[str]) -> Sequence[float]:
        return [0.9 if "bread" in text else 0.2] * len(texts)

    found = material(QUESTION, claim(NEW, 2025), claim(other, 2024), claim(OLD, 2015), meanings=Meant(alike))
    assert [(each.finding.text, each.newer_finding.text) for each in found.outlived] == [(OLD, NEW)]


@pytest.mark.parametrize(("near", "doubtful"), [(0.5, True), (0.2, False)])
def test_what_was_not_asked_for_is_in_doubt_where_the_newer_one_is_very_near(near: float, doubtful: bool) -> None:
    question = "In which year was the Crinloumble Levy brought in?"
    old = claim("By law, what the Crinloumble Levy brings in may be spent only on school meals.", 2015)
    new = claim("There is money for cycle lanes because of the Crinloumble Levy.", 2025)
    found = material(question, new, old, meanings=Meant(lambda _, texts: [near] * len(texts)))
    assert bool(found.outlived) is doubtful


def test_what_is_far_from_both_is_of_another_property() -> None:
    def alike(_: str, texts: Sequence[str]) -> Sequence[float]:
        return [-0.5] * len(texts)

    assert not material(QUESTION, claim(NEW, 2025), claim(OLD, 2015), meanings=Meant(alike)).outlived


def test_a_report_with_doubtful_answers_alone_says_so() -> None:
    """Somebody who reads the summary alone is not told that no source answers."""
    question, new, old = "What is burned in Fenstiyfund?", "The Fenstiyfund takes logs.", "The Fenstiyfund takes peat."
    own, others = claim(old, 2015), claim(new, 2025)
    subtasks = [Subtask(number=number, title=question, question=question) for number in (1, 2)]
    claims = [own, others.model_copy(update={"agent_number": 2})]
    found = Material(
        Brief(task=question, asked_at=ASKED_AT), subtasks[:1], merge_claims(claims), (), {c.id: c for c in claims}, ()
    )
    summary = " ".join(each.text for paragraph in compose_report(found).sections[0].paragraphs for each in paragraph)
    assert "may be out of date" in summary
    assert "No source that was read" not in summary


def test_another_number_of_the_same_things_puts_an_old_one_in_doubt_that_nobody_asked_for() -> None:
    old = claim("They needed 51 clauses to say in Morliettisham Bylaw what my mother would have said.", 2014)
    new = claim("I read Morliettisham Bylaw in the bath, and by the end of all 63 clauses the water was cold.", 2025)
    far = Meant(lambda _, texts: [-0.9] * len(texts))
    found = material("Morliettisham Bylaw topic governed", old, new, meanings=far)
    assert {each.finding.text for each in found.outlived} == {old.text}
    other = claim("Morliettisham Bylaw was read aloud by 63 clerks, one after the other.", 2025)
    assert not material("Morliettisham Bylaw topic governed", old, other, meanings=far).outlived

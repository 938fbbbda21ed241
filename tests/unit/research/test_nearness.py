"""What a statement is worth: words, meaning and passage together, and each where the others know nothing."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from activities.research.claims import Candidate, candidates, extract, stitch
from activities.research.nearness import COMPARED_MAX, open_to, worth
from activities.research.relevance import elsewhere, relevance
from schema.contracts.research import Passage
from tests.support.corpus import passages_of, source_of
from tests.support.making import Meant, view_of

QUESTION = "How do I look at a crash after it happened?"
POST_MORTEM = "Post-mortem debugging examines the state of a program once it has died of an exception."
BARLEY = "When barley became cheap there was a crash among the mills, and few were open in spring."


def statements(*texts: str, title: str = "Notes") -> list[Candidate]:
    """Return the statements of documents, one each."""
    return [candidate for text in texts for candidate in candidates(stitch(passages_of(text, source_of(text, title))))]


def knowing(*meant: str) -> Meant:
    """Return a comparison that finds the texts with these words near, and nothing else."""
    return Meant(lambda question, texts: [1.0 if any(word in text for word in meant) else 0.0 for text in texts])


def test_what_says_it_otherwise_is_worth_more_than_what_shares_words() -> None:
    pool = statements(POST_MORTEM, BARLEY)
    by_words = worth(QUESTION, pool, None)
    assert by_words == relevance(QUESTION, pool)
    assert by_words[1] > by_words[0]
    assert (by_meaning := worth(QUESTION, pool, knowing("Post-mortem")))[0] > by_meaning[1]


def test_a_good_passage_does_not_make_an_answer() -> None:
    """Neither the words nor the meaning speak of what is asked: nothing is left of it, however good its passage."""
    pool = statements("Bread is baked twice a day in the ovens of the old town.")
    assert pool[0].source.score.relevance > 0.5
    assert worth(QUESTION, pool, knowing("crash")) == [0.0]


def test_one_property_of_something_named_is_left_to_the_words() -> None:
    """There a value answers; meanings are not even compared."""
    pool = statements("The Zephyr-9 weighs 41 kg.", "The Zephyr-9 is easy to carry.")

    def refuse(question: str, texts: Sequence[str]) -> list[float]:
        raise AssertionError("compared")

    assert worth("How much does the Zephyr-9 weigh?", pool, Meant(refuse)) == relevance(
        "How much does the Zephyr-9 weigh?", pool
    )


def test_a_question_that_the_model_cannot_read_is_left_to_the_words() -> None:
    pool = statements(POST_MORTEM, BARLEY)
    assert worth(QUESTION, pool, Meant(lambda question, texts: None)) == relevance(QUESTION, pool)


def test_a_document_that_does_not_name_the_thing_needs_its_words() -> None:
    question = "How do I configure logging in the Corvane gateway?"
    other = "The Tessalin server is set up by editing its journal settings."
    pool = statements("In the Corvane gateway, what is logged is set in corvane.toml.", other)
    worths = worth(question, pool, knowing("set"))
    assert worths[0] > 0
    assert worths[1] == 0
    assert worth(question, pool[1:], knowing("set"))[0] > 0, "nothing that was found names it"


@pytest.mark.parametrize("count", [1, COMPARED_MAX, COMPARED_MAX + 40])
def test_a_bounded_number_is_compared(count: int) -> None:
    compared: list[int] = []

    def nearness(question: str, texts: Sequence[str]) -> list[float]:
        compared.append(len(texts))
        return [0.5] * len(texts)

    pool = statements(*(f"Crash number {number} happened because of dust in the machine." for number in range(count)))
    assert len(worth(QUESTION, pool, Meant(nearness))) == count
    assert compared == [min(count, COMPARED_MAX)]


def test_a_passage_answers_whose_sentences_have_none_of_the_words() -> None:
    """A statement of the nearest passage is claimed for a question that no sentence alone is near to."""
    question = "How do I stop people from guessing passwords?"
    text = "After five wrong tries the account stays shut for an hour. The cafeteria opens at noon."
    passage = Passage(source=source_of(text, "accounts.md"), start=0, end=len(text), text=text, heading="Lockout")

    def near(_: str, texts: Sequence[str]) -> Sequence[float]:
        return [0.8 if "Lockout\n" in each else 0.3 if "wrong tries" in each else 0.1 for each in texts]

    drawn = extract(view_of(question), [passage], Meant(near))
    assert [claim.text for claim in drawn] == ["After five wrong tries the account stays shut for an hour."]
    assert not extract(view_of(question), [passage], Meant(lambda _, texts: [0.3] * len(texts))), (
        "nothing is near enough"
    )
    assert not extract(view_of(question), [passage], None)


def test_a_question_that_has_its_value_is_open_to_what_is_newer_alone() -> None:
    question, value = "What is the timeout of Ulgad?", "Ulgad has a timeout of 30 seconds."

    def dated(year: int | None) -> Passage:
        source = source_of(f"Of {year}.", f"{year}", published_at=datetime(year, 5, 2, tzinfo=UTC) if year else None)
        return Passage(source=source, start=0, end=9, text=f"Of {year}.")

    old, new, never = dated(2016), dated(2025), dated(None)
    everything = frozenset(each.source.snapshot_sha256 for each in (old, new, never))
    assert open_to(question, [("Ulgad is fast.", old.source)], [old, new, never]) == everything
    assert open_to("How does Ulgad work?", [(value, old.source)], [old, new, never]) == everything
    assert open_to(question, [(value, old.source)], [old, new, never]) == {new.source.snapshot_sha256}
    assert not open_to(question, [(value, old.source), (value, new.source)], [old, new, never])
    assert not open_to(question, [(value, never.source)], [old, new, never]), "nobody knows how old it is"


def test_a_newer_source_is_claimed_beside_an_old_answer_in_words_that_nobody_knows() -> None:
    question = "What is the timeout of Ulgad?"
    old = "The timeout of Ulgad is 30 seconds."
    new = "Callers who say nothing are dropped before a minute has gone by."

    def passage(text: str, year: int) -> Passage:
        source = source_of(text, "Ulgad", published_at=datetime(year, 5, 2, tzinfo=UTC))
        return Passage(source=source, start=0, end=len(text), text=text)

    def near(_: str, texts: Sequence[str]) -> Sequence[float]:
        return [0.8] * len(texts)

    meanings = Meant(near)
    meanings.alike = lambda _, texts: [-1.0] * len(texts)
    for year, found in ((2025, {old, new}), (2012, {old})):
        drawn = extract(view_of(question), [passage(old, 2016), passage(new, year)], meanings)
        assert {claim.text for claim in drawn} == found


def passage_of(text: str, title: str, relevance: float = 0.5) -> Passage:
    source = source_of(text, title)
    source = source.model_copy(update={"score": source.score.model_copy(update={"relevance": relevance})})
    return Passage(source=source, start=0, end=len(text), text=text)


def test_a_value_in_a_far_less_relevant_source_is_not_the_answer() -> None:
    question, value = "What is the timeout of Ulgad?", "Ulgad has a timeout of 30 seconds."
    best = passage_of("Ulgad gives up on whoever stays silent.", "Ulgad", 0.9)
    for other, found in ((0.7, {best.source.snapshot_sha256}), (0.8, frozenset())):
        assert open_to(question, [(value, passage_of(value, "Others", other).source)], [best]) == found


def answered(question: str, *passages: tuple[Passage, float]) -> set[str]:
    """Return what is claimed, where passages are as near as given and their statements are not near at all."""
    near = {passage.text: value for passage, value in passages}
    drawn = extract(
        view_of(question), [each for each, _ in passages], Meant(lambda _, texts: [near.get(t, 0.1) for t in texts])
    )
    return {claim.text for claim in drawn}


def test_a_passage_that_states_nothing_is_not_the_nearest() -> None:
    code = passage_of("    import wexlib\n\n    wexlib.run()", "Introduction")
    prose = passage_of("Callers bring their sounds to 16 kHz before they come here.", "Introduction")
    question = "My recordings have 44 kHz, will the filter banks convert that?"
    assert answered(question, (code, 0.9), (prose, 0.7)) == {prose.text}


def test_each_page_answers_with_one_passage() -> None:
    text = "A wrong try costs a minute. Five wrong tries cost an hour."
    source = source_of(text, "Accounts")
    parts = [Passage(source=source, start=a, end=b, text=text[a:b]) for a, b in ((0, 27), (28, len(text)))]
    other = passage_of("Whoever is shut out rings the desk.", "Desk")
    question = "How do we deal with brute force attacks?"
    assert answered(question, *((part, 0.8) for part in parts), (other, 0.75)) == {parts[0].text, other.text}


def test_a_page_titled_with_the_thing_may_be_less_near_where_nothing_else_answers() -> None:
    port = passage_of("This is a Python port of a JavaScript package.", "wexurl")
    question = "Is wexurl an original work, or was it taken over from another language?"
    others = [(passage_of(f"Number {n} of the list.", f"Notes {n}"), 0.1) for n in range(4)]
    assert answered(question, (port, 0.5), *others) == {port.text}
    assert not answered(question, (port, 0.36), *others)
    assert not answered(question, (port.model_copy(update={"source": source_of(port.text, "Ports")}), 0.5), *others)


def test_other_things_of_one_kind_are_elsewhere() -> None:
    ours, theirs = statements("Jorgaard Furniture employs 320 people."), statements("Braviberg Furniture employs 90.")
    away = elsewhere("How many colleagues would I have if I started at Jorgaard Furniture?", [*ours, *theirs])
    assert away == {theirs[0].source.snapshot_sha256}
    assert not elsewhere("How do Jorgaard shelves work?", [*ours, *theirs]), "it says where, not what"


def test_what_names_only_another_of_the_family_is_not_the_nearest() -> None:
    other = passage_of("The drive of the Falke 300 was changed last year and is a good deal better now.", "Pumps")
    assert not answered("What is the engine like in the Falke 200?", (other, 0.9))


@pytest.mark.parametrize(("text", "is_drawn"), [("Jaro looks after all of Ulgad now.", True), ("Jaro is in.", False)])
def test_a_newer_source_that_names_the_thing_may_be_less_near_than_an_old_answer(text: str, is_drawn: bool) -> None:
    def dated(passage: Passage, year: int) -> Passage:
        source = passage.source.model_copy(update={"published_at": datetime(year, 1, 1, tzinfo=UTC)})
        return passage.model_copy(update={"source": source})

    old = dated(passage_of("Ulgad is led by Anna Berg.", "Ulgad"), 2014)
    new = dated(passage_of(text, "Rooms"), 2025)
    assert (text in answered("Who leads Ulgad?", (old, 0.9), (new, 0.45))) is is_drawn

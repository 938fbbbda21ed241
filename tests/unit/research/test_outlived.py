"""What an older source says where a newer one answers about as well: named as an older one's, not stated as current."""

import re
from datetime import UTC, datetime

import pytest

from activities.research.composing import DISAGREEMENTS, compose_report, recommendations
from activities.research.findings import merge_claims
from activities.research.material import Material
from activities.research.outlived import ABOUT_AS_WELL, outlived
from activities.research.phrases import is_connective
from schema.contracts.research import Brief, Claim, Subtask
from tests.support.making import Meant, claim_of

ASKED_AT = datetime(2026, 1, 1, tzinfo=UTC)


def claim(text: str, year: int | None, relevance: float = 0.7, title: str = "") -> Claim:
    at = datetime(year, 3, 14, tzinfo=UTC) if year else None
    return claim_of(text, title=title or f"paper of {year}", published_at=at, relevance=relevance)


def material(question: str, *claims: Claim, asked_at: datetime | None = None) -> Material:
    """Put together what a report on one question is made of, without any conflict that is known."""
    subtask = Subtask(number=1, title=question, question=question)
    findings = merge_claims(claims)
    brief = Brief(task=question, asked_at=asked_at)
    return Material(brief, [subtask], findings, (), {each.id: each for each in claims}, ())


def stated(question: str, *claims: Claim, asked_at: datetime | None = None) -> list[str]:
    """Return what the report may state as it is."""
    return [finding.text for finding in material(question, *claims, asked_at=asked_at).by_subtask[1]]


OUTLIVED = [
    (
        "Which operator is responsible for the Braloia?",
        "Tickets for the Braloia are sold by Morstiholm Hydraulics, the operator.",
        "The Braloia belongs to the fleet that Pelvistad Industries operates.",
    ),
    (
        "In which year did the Quilstiis slide into the water?",
        "The launch of the Quilstiis took place in 1980.",
        "The Quilstiis slid into the water in 1889.",
    ),
    (
        "In which town is Pelvisson Dairy located?",
        "The registered office of Pelvisson Dairy is in Garstistad.",
        "Pelvisson Dairy is a company from Rastaford.",
    ),
    (
        "Which wingspan does the Velveow wader have?",
        "With both wings fully open, the Velveow wader measures 137 centimetres across.",
        "You can tell the Velveow wader by its wingspan of over 105 centimetres.",
    ),
    (
        "How many people work at Ardroberg Optics?",
        "At the last count, 320 people were employed by Ardroberg Optics.",
        "The canteen of Ardroberg Optics feeds a workforce of 4,540 people every day.",
    ),
    # What is counted has two names, and the question has neither.
    (
        "Ulrok Flyer hourly capacity",
        "The Ulrok Flyer takes 900 passengers per hour.",
        "The Ulrok Flyer can take 820 riders per hour.",
    ),
    (
        "What is the default timeout of Jorlibase?",
        "Clients of Jorlibase connect to port 9546.",
        "By default Jorlibase listens on port 8079.",
    ),
]


@pytest.mark.parametrize(("question", "new", "old"), OUTLIVED)
def test_the_older_value_is_not_stated_as_current(question: str, new: str, old: str) -> None:
    assert stated(question, claim(new, 2025), claim(old, 2015)) == [new]


def test_it_is_named_as_an_older_source_s() -> None:
    """Nothing is lost: it stands under the disagreements, with both dates, and says what is not known."""
    question, new, old = OUTLIVED[0]
    report = compose_report(material(question, claim(new, 2025), claim(old, 2015)))
    [section] = [each for each in report.sections if each.title == DISAGREEMENTS]
    [[said, newer, _, quoted]] = section.paragraphs
    assert "2015-03-14" in said.text
    assert "2025-03-14" in said.text
    assert "if both mean the same" in said.text
    assert (newer.text, len(newer.claim_ids)) == (new, 1)
    assert (quoted.text, len(quoted.claim_ids)) == (old, 1)


DIFFERING = [
    (
        "Whose ship is the Wexnais?",
        "Yarmomoor Industries sends the Wexnais out to sea four times a day.",
        "Flying from the mast of the Wexnais is the flag of Haldawick Marine.",
    ),
    (
        "How long is the Fendaeck tunnel?",
        "The Fendaeck tunnel has a length of 1,164 metres.",
        "On foot one covers 586 metres from one mouth of the Fendaeck tunnel to the other.",
    ),
]


@pytest.mark.parametrize(("question", "one", "other"), DIFFERING)
@pytest.mark.parametrize("years", [(2025, 2025), (None, 2025), (None, None)])
def test_answers_of_one_age_that_differ_are_shown_together(
    question: str, one: str, other: str, years: tuple[int | None, int | None]
) -> None:
    """Both are stated, too: nothing tells which one holds, nor that they speak of one property."""
    found = material(question, claim(one, years[0], 0.8, "one"), claim(other, years[1], 0.7, "other"))
    assert [finding.text for finding in found.by_subtask[1]] == [one, other]
    [section] = [each for each in compose_report(found).sections if each.title == DISAGREEMENTS]
    assert [sentence.text for sentence in section.paragraphs[0]][0::2] == [
        "The sources give different values, if all of them mean the same.",
        one,
        other,
    ]
    assert all(sentence.claim_ids or is_connective(sentence.text) for sentence in section.paragraphs[0])


@pytest.mark.parametrize(
    ("question", "one", "other"),
    [
        # One of them is not among the good answers, or not of the kind that is asked for.
        ("How many may board the Norveis?", "The Norveis takes 1,720 passengers.", "The Norveis has 4 decks."),
        # Words say that they are of different properties, parts or circumstances.
        ("How long is the Tesk?", "The Tesk is 318 km long.", "The Tesk is 40 m wide."),
        ("When was the Dunmore built?", "The Dunmore was built in 1842.", "The Dunmore was renovated in 1979."),
        (
            "What does Hallmark spend?",
            "Hallmark spends CHF 12 million on schools.",
            "Hallmark spends CHF 7 million on roads.",
        ),
        (
            "Who designed the Velasca?",
            "The Velasca was designed by Enrico Balbo.",
            "The Velasca was built by Costruzioni.",
        ),
        ("How fast is the Karst tanker?", "The Karst tanker sails at 15 knots.", "The Karst tug sails at 11 knots."),
        # An account is asked for.
        ("How does the Norveis work?", "The Norveis takes 1,720 passengers.", "The Norveis takes 1,560 people."),
    ],
)
def test_what_words_tell_apart_does_not_differ(question: str, one: str, other: str) -> None:
    assert material(question, claim(one, 2025, 0.8, "one"), claim(other, 2025, 0.7, "other")).differing == ()


@pytest.mark.parametrize(
    ("question", "new", "old"),
    [
        # An account was asked for, not a value.
        (
            "How does the Braloia work?",
            "The Braloia is run by Morstiholm Hydraulics.",
            "The Braloia was built by Pelvistad Industries.",
        ),
        # The same value.
        (
            "How long is the Crinmotal Bridge?",
            "The Crinmotal Bridge is 526 m long.",
            "It spans 0.526 km, the Crinmotal Bridge.",
        ),
        # Of another thing.
        ("What power does the Falke 200 have?", "The Falke 200 has 40 kW.", "The Falke 300 has 60 kW."),
        # Of another kind.
        ("What does the Falke weigh?", "The Falke weighs 40 kg.", "The Falke has 60 kW."),
        # Numbers that belong to names.
        (
            "Which parser does the Falke have?",
            "The Falke reads addresses by RFC 3986.",
            "The Falke reads addresses by RFC 2732.",
        ),
        # In other circumstances.
        (
            "How warm does the Falke get?",
            "In winter the Falke gets 40 °C warm.",
            "In summer the Falke gets 60 °C warm.",
        ),
    ],
)
def test_what_is_no_other_value_of_the_same_thing_stays(question: str, new: str, old: str) -> None:
    assert set(stated(question, claim(new, 2025), claim(old, 2015))) == {new, old}


ASIDES = [
    ("What does the Falke weigh?", "The Falke weighs 40 kg.", "The Falke has 60 kW."),
    (
        "Which company produces Peltaum?",
        "Peltaum is produced by Bralimoor Engineering.",
        "Parts of Peltaum cure for 22 h.",
    ),
    (
        "To what port does Crinvebase listen?",
        "Crinvebase listens on port 7427.",
        "Crinvebase waits 276 seconds for a request.",
    ),
]


@pytest.mark.parametrize(("question", "answer", "beside"), ASIDES)
@pytest.mark.parametrize("year", [None, 2025])
def test_what_an_old_source_says_besides_is_left_out(question: str, answer: str, beside: str, year: int | None) -> None:
    """Nobody asked for it, and nothing newer says whether it still holds."""
    claims = claim(answer, year), claim(beside, 2015, 0.6)
    assert stated(question, *claims, asked_at=datetime(2026, 1, 1, tzinfo=UTC)) == [answer]


def test_what_has_nothing_of_the_wanted_kind_is_beside_the_point_whatever_its_words() -> None:
    answer, beside = "People have known the Falke since 1913.", "Young ones of the Falke were taken from clover."
    claims = claim(answer, None, 0.3), claim(beside, 2015, 0.8)

    def told(nearer: str) -> list[str]:
        meanings = Meant(lambda _, texts: [0.6 if nearer in text else 0.3 for text in texts])
        question, by_id = "When was the Falke first seen?", {each.id: each for each in claims}
        brief, subtask = Brief(task=question, asked_at=ASKED_AT), Subtask(number=1, title=question, question=question)
        found = Material(brief, [subtask], merge_claims(claims), (), by_id, (), meanings)
        return [finding.text for finding in found.by_subtask[1]]

    assert told("since") == [answer]
    assert beside in told("clover"), "what is near may be the answer in other words (free, and no price)"
    assert beside in stated("When was the Falke first seen?", *claims, asked_at=ASKED_AT), "without a comparison"


@pytest.mark.parametrize(
    ("question", "answer", "beside", "year"),
    [
        # Not old by then.
        (*ASIDES[0], 2025),
        # Asked for everything.
        ("What is known about the Falke?", "The Falke weighs 40 kg.", "The Falke has 60 kW.", 2015),
        # Nothing better was read.
        ("What does the Falke weigh?", "It rained on Tuesday.", "The Falke has 60 kW.", 2015),
        # About as good an answer.
        ("Who makes the Falke?", "The Falke is made by Ulnamoor.", "The Falke is built by Lamgawick.", 2015),
    ],
)
def test_what_may_be_wanted_of_an_old_source_stays(question: str, answer: str, beside: str, year: int) -> None:
    claims = claim(answer, None, title="a"), claim(beside, year, 0.65, title="b")
    assert beside in stated(question, *claims, asked_at=datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("years", [(2025, None), (None, 2015), (2025, 2025)])
def test_without_an_age_nothing_is_older(years: tuple[int | None, int | None]) -> None:
    question, new, old = OUTLIVED[0]
    assert set(stated(question, claim(new, years[0], title="one"), claim(old, years[1], title="two"))) == {new, old}


def test_the_better_answer_stays_although_it_is_older() -> None:
    """A newer source that speaks of the thing in passing outlives nothing."""
    new, old = "The Falke was painted in 2019.", "The Falke was opened in 1960."
    question = "When was the Falke opened?"
    better = 0.7 + ABOUT_AS_WELL + 0.01
    assert set(stated(question, claim(new, 2025), claim(old, 2015, better))) == {new, old}


LESS_NEAR = [
    (
        "Whom do we have to thank for Dellitrin?",
        "Nobody had ever described Dellitrin before Ingrid Kellosson discovered it.",
        "The world owes Dellitrin to Clara Jorriberg.",
    ),
    (
        "Who calls the shots at Jorviard Dairy?",
        "Since the old owner retired, Jonas Ulriberg has had the last word at Jorviard Dairy.",
        "Nobody gives orders to Peter Deldasson, the managing director of Jorviard Dairy, except for the shareholders.",
    ),
    (
        "Morgaum supplier name",
        "Seldaholm Lines is under contract to deliver Morgaum to the shipyard.",
        "Our whole stock of Morgaum comes from Torgaholm Engineering.",
    ),
]


LESS_NEAR += [
    # A relation of another kind than the asked one tells nothing.
    (
        "Who drew up the Garliau Bridge?",
        "Every line of the Garliau Bridge comes from the pen of Jonas Pelvisson.",
        "The competition for the Garliau Bridge was won by Stefan Ostriard, to whose design it was then built.",
    ),
    # A place, wherever it stands in its sentence.
    (
        "Where do the bosses of Wexriberg Foods have their offices?",
        "A tall brick building in Wexristad houses the management of Wexriberg Foods.",
        "Kelriwick is proud to have the head office of Wexriberg Foods within its walls.",
    ),
    # The last of several, which others follow.
    ("When did Ulrinak last erupt?", "Ulrinak last erupted in 2019.", "The latest eruption of Ulrinak was in 1980."),
    # A figure that may have changed, in words that only the older source shares with the question.
    ("How tall is the Falke?", "From the Falke you look down 44 m.", "The Falke is 40 m tall."),
    # Whoever stands in the relation that is asked for.
    (
        "Which firm made the Ostmothar Flyer?",
        "Crinliwick Lines designed and manufactured the Ostmothar Flyer.",
        "Spare parts for the Ostmothar Flyer are ordered from its manufacturer, Zanmowick Hydraulics.",
    ),
    # The number of a thing, without its name.
    (
        "Might I ask on what port Kelnakit can be reached?",
        "Open 5065 in your firewall, or nobody will get through to Kelnakit.",
        "Out of the box, Kelnakit binds to TCP port 1634.",
    ),
]


@pytest.mark.parametrize(("question", "new", "old"), LESS_NEAR)
@pytest.mark.parametrize(("year", "still"), [(2015, False), (2024, True)])
def test_years_later_another_name_in_unknown_words_is_enough(
    question: str, new: str, old: str, year: int, still: bool
) -> None:
    """Which of two sentences answers better is told by known words; after years, that is not enough to state it."""
    claims = claim(new, 2025, 0.5), claim(old, year, 0.7)
    assert (old in stated(question, *claims)) is still


@pytest.mark.parametrize(
    ("question", "new", "old"),
    [
        ("Who makes the Falke?", "The Falke was restored by Anna Berg.", "The Falke is made by Ulnamoor."),
        ("How tall is the Falke?", "From the Falke you look down 190 m.", "The Falke is 40 m tall."),
        ("How many seats has the Norveis?", "The Norveis has 40 cabins.", "The Norveis has 60 seats."),
        (
            "Who designed the Falke?",
            "The Falke was designed by Keller.",
            "Peter Keller, an architect, designed the Falke.",
        ),
        ("What is known about the Falke?", "The Falke is 300 m long.", "The Falke is 82 m high."),
        ("Tell me the history of Acme.", "Acme is led by Anna Berg.", "Acme was founded by Peter Miller."),
        ("Who wrote Momo?", "The Globe Theatre shows Momo every summer.", "Momo was written by Michael Ende."),
        ("Who is the CEO of Orlen?", "Orlen sued Falke Optics.", "The CEO of Orlen is Anna Berg."),
        ("How long is the Tesk?", "A dam closes the Tesk over 40 m.", "The Tesk is 318 km long."),
        ("Which port does Corvid use?", "Corvid passed 500 tests.", "Corvid listens on port 1597."),
        ("When was the Falke built?", "The Falke was repainted in 2019.", "The Falke is of 1911."),
        ("How much does the Falke weigh?", "The Falke carries 60 kg of coal.", "The Falke weighs 40 kg."),
        ("When was the Falke opened?", "The Falke was struck by lightning in 2019.", "The Falke was opened in 1960."),
    ],
)
def test_years_later_another_property_in_passing_outlives_nothing(question: str, new: str, old: str) -> None:
    assert old in stated(question, claim(new, 2025, 0.5), claim(old, 2015, 0.7))


def test_what_another_source_still_says_is_not_outlived() -> None:
    question, new, old = "How long is the Falke?", "The Falke measures 45 metres.", "The Falke is 60 metres long."
    undated = claim("Length of the Falke: 60 m", None)
    assert old in stated(question, claim(new, 2025), claim(old, 2015), undated)


def test_one_question_is_no_matter_of_another() -> None:
    """The older source of another subtask answers that one's question."""
    question, new, old = OUTLIVED[0]
    claims = [claim(new, 2025), claim(old, 2015).model_copy(update={"agent_number": 2})]
    subtasks = [Subtask(number=number, title=question, question=question) for number in (1, 2)]
    findings = merge_claims(claims)
    assert outlived(subtasks, findings, {each.id: each for each in claims}) == ()


@pytest.mark.parametrize(
    ("years", "told"),
    [
        ((2015,), "2015-03-14"),
        ((2015, 2018), "2018-03-14"),
        ((2015, 2025), None),
        ((2015, None), None),
    ],
)
def test_an_answer_that_only_old_sources_give_is_to_be_looked_for_again(
    years: tuple[int | None, ...], told: str | None
) -> None:
    said = ("The Falke weighs 40 kg.", "The Falke has a weight of 40 kg.")
    claims = [claim(text, year, title=text) for text, year in zip(said, years, strict=False)]
    found = material("How much does the Falke weigh?", *claims, asked_at=datetime(2026, 1, 1, tzinfo=UTC))
    texts = [sentence.text for part in recommendations(found) for sentence in part]
    advice = [text for text in texts if text.startswith("Look for something newer")]
    assert [told] == [re.findall(r"[\d-]{10}", text)[0] for text in advice] if told else not advice
    assert all(is_connective(text) for text in texts)

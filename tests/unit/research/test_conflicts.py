"""Disagreements: those that are, those that are not, and which side is preferred."""

from datetime import UTC, datetime

import pytest

from activities.research.citations import render_report
from activities.research.composing import compose_report
from activities.research.conflicts import find_conflicts, pairs
from activities.research.findings import merge_claims
from activities.research.material import Material
from activities.research.rows import read_said, rows_of
from activities.research.statements import facts_of
from schema.contracts.research import Brief, Claim, Conflict, ConflictKind, Subtask
from tests.support.making import Meant, claim_of


def conflicts_of(*claims: Claim) -> tuple[Conflict, ...]:
    return find_conflicts(merge_claims(claims), {claim.id: claim for claim in claims})


def between(left: str, right: str, title: str = "Source") -> tuple[Conflict, ...]:
    return conflicts_of(claim_of(left, title=f"{title} one"), claim_of(right, title=f"{title} two", agent_number=2))


@pytest.mark.parametrize(
    ("left", "right", "kind"),
    [
        ("The Zephyr-9 engine produces 420 kW.", "The Zephyr-9 engine produces 380 kW.", "plain"),
        ("The Zephyr-9 engine produces 420 kW.", "The output of the Zephyr-9 is 380 kW.", "plain"),
        ("The Zephyr-9 delivers 420 kW of power.", "Power output of the Zephyr-9: it is rated at 0.38 MW.", "plain"),
        ("Acme Corp employs 1,200 people.", "Acme Corp has a staff of 900 people.", "plain"),
        ("Acme was founded in 1998 in Basel.", "Acme was founded in 2001 in Basel.", "plain"),
        ("Acme was founded on 12 March 1998.", "Acme was established on 3 May 1998.", "plain"),
        ("The Zephyr-9 weighs 310 kg.", "The Zephyr-9 has a weight of 290 kg.", "plain"),
        ("The Zephyr-9 engine produces 420 kW.", "The Zephyr-9 engine produces 420 hp.", "unit"),
        ("The client library Foolib is thread-safe.", "The client library Foolib is not thread-safe.", "plain"),
        ("The Zephyr-9 produces a peak of 420 kW.", "The Zephyr-9 produces 380 kW.", "scope"),
        ("Zephyrlib requires Python 3.8 or later.", "Zephyrlib requires Python 3.11 or later.", "plain"),
        ("Unemployment in Geneva was 4.1% in 2023.", "Unemployment in Geneva was 5.2% in 2023.", "plain"),
        ("The dose of Ulgatrin is taken for 7 weeks.", "The dose of Ulgatrin is taken for 7 months.", "unit"),
    ],
)
def test_contradictions_are_found(left: str, right: str, kind: str) -> None:
    found = between(left, right)
    assert [conflict.kind for conflict in found] == [ConflictKind(kind)]
    assert between(right, left)[0].kind == found[0].kind
    assert found[0].subject
    assert found[0].reason


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("The Zephyr-9 engine produces 420 kW.", "The Zephyr-8 engine produces 380 kW."),
        ("The Zephyr-9 engine produces 420 kW.", "The Zephyr-9 engine produces 0.42 MW."),
        ("The Zephyr-9 weighs 310 kg.", "The Zephyr-9 carries 290 kg."),
        ("Sales of Acme were 12 million CHF in 2022.", "Sales of Acme were 14 million CHF in 2023."),
        ("Python 3.8 was released in 2019.", "Python 3.9 was released in 2020."),
        ("Rich requires Python 3.8 or later.", "Alembic requires Python 3.10 or later."),
        ("Acme has 12 plants in Europe.", "Acme has 9 offices in Europe."),
        ("The table has 3 rows, 4 columns, 12 cells and 7 borders.", "The table has 5 rows and 2 columns."),
        ("Context managers are not needed for lists.", "Context managers handle entry and exit of lists."),
        ("Added in version 3.8 of the library.", "Added in version 3.9 of the library."),
        ("Venus is 12,104 km in diameter.", "Mars is 6,779 km in diameter."),
        ("It takes 5 minutes to boil an egg.", "It takes 8 minutes to bake a roll."),
        ("The Zephyr-9 weighs 310 kg.", "The Zephyr-9 produces 420 kW."),
        ("The default timeout of Redis is 5 seconds.", "The default timeout of Kafka is 30 seconds."),
        ("The Zephyr-9 produces a peak of 420 kW.", "The Zephyr-9 produces a continuous 380 kW."),
        ("Overhead of tqdm is about 60 ns per iteration.", "ProgressBar has an 800 ns overhead per iteration."),
        ("Tarnwerk closed a good year.", "Tarnwerk had a good year."),
        ("Corvida needs 120 GB of disk.", "Corvida writes 4 GB of disk."),
        ("Bear in mind that the Fentan 20 adds 4,680 kg to the load.", "Mind that the Fentan 50 adds 1,535 kg to it."),
        ("140 MPa is the tensile strength of Brelstilon.", "1,390 MPa is the tensile strength of Crindaum."),
        ("7,408 MB of RAM must be set aside for Kelveflow.", "8,016 MB of RAM must be set aside for Zandad."),
        ("Torvelon withstands stresses of 895 MPa.", "Brelroite withstands stresses of 1,210 MPa."),
        # So far apart that they are of two properties, where no word tells.
        ("The Falke Ultra is run over 140 km.", "The Falke Ultra involves 3,000 metres of ascent."),
        ("Under the Orlen Act, an appeal takes 45 days.", "The Orlen Act makes firms keep receipts for 102 months."),
        ("The monthly fee of Acme is CHF 7.", "The annual fee of Acme is CHF 60."),
    ],
)
def test_false_alarms_are_not_raised(left: str, right: str) -> None:
    assert between(left, right) == ()


@pytest.mark.parametrize(
    ("left", "right", "kind"),
    [
        ("The Orlen race is over in 140 minutes.", "Walkers come home from the Orlen race after 140 hours.", "unit"),
        ("Acme is given 560 million euros.", "Acme has 560 million dollars at its disposal.", "unit"),
        ("From end to end, the Falke measures 140 m.", "You walk 180 m beside the Falke.", "plain"),
    ],
)
def test_where_words_tell_nothing_meaning_decides(left: str, right: str, kind: str) -> None:
    """Two figures of one kind may be of one property: whether they are is for the comparison of meanings to tell."""
    claims = claim_of(left, title="one"), claim_of(right, title="two", agent_number=2)
    known = {claim.id: claim for claim in claims}
    for near, kinds in ((0.8, [ConflictKind(kind)]), (0.2, [])):
        found = find_conflicts(merge_claims(claims), known, [], Meant(lambda _, texts, near=near: [near] * len(texts)))
        assert [conflict.kind for conflict in found] == kinds


def test_one_source_does_not_contradict_itself() -> None:
    text = "The Zephyr-9 produces 420 kW. Later the Zephyr-9 produces 380 kW."
    first = claim_of(text, "The Zephyr-9 produces 420 kW.")
    second = claim_of(text, "Later the Zephyr-9 produces 380 kW.", source=first.source)
    assert conflicts_of(first, second) == ()


LEFT, RIGHT = "The Zephyr-9 engine produces 420 kW.", "The Zephyr-9 engine produces 380 kW."


def test_the_newer_source_is_preferred() -> None:
    old = claim_of(LEFT, title="a", published_at=datetime(2020, 1, 1, tzinfo=UTC), trust=0.9)
    new = claim_of(RIGHT, title="b", published_at=datetime(2024, 1, 1), agent_number=2)  # noqa: DTZ001
    (conflict,) = conflicts_of(old, new)
    assert conflict.kind is ConflictKind.STALE
    assert conflict.chosen_finding_id == merge_claims([new])[0].id
    assert "newer source (2024-01-01" in conflict.reason


def test_the_more_trusted_source_is_preferred() -> None:
    (conflict,) = conflicts_of(claim_of(LEFT, title="a", trust=0.9), claim_of(RIGHT, title="b", trust=0.5))
    assert "trust 0.90 against 0.50" in conflict.reason


def test_more_independent_sources_are_preferred_but_copies_do_not_count() -> None:
    one = claim_of(LEFT, title="a")
    two = claim_of(RIGHT, title="b")
    three = claim_of(f"{RIGHT} So say we all.", "The Zephyr-9 engine produces 380 kW.", title="c")
    other = claim_of(
        "Engine: the Zephyr-9 produces 380 kW. Indeed.", "Engine: the Zephyr-9 produces 380 kW.", title="d"
    )
    (copied,) = conflicts_of(one, two, three)
    assert copied.chosen_finding_id is None
    (backed,) = conflicts_of(one, two, other)
    assert "2 independent sources against 1" in backed.reason


def test_three_sides_make_one_conflict() -> None:
    third = "The Zephyr-9 engine produces 400 kW."
    (conflict,) = conflicts_of(*(claim_of(text, title=text) for text in (LEFT, RIGHT, third)))
    assert len(conflict.finding_ids) == 3
    assert conflict.chosen_finding_id is None


def test_the_order_of_claims_does_not_matter() -> None:
    claims = [claim_of(text, title=text) for text in (LEFT, RIGHT, "The Zephyr-9 weighs 310 kg.")]
    assert conflicts_of(*claims) == conflicts_of(*reversed(claims))


def test_statements_that_agree_become_one_finding() -> None:
    one = claim_of("Acme Corp employs 1,200 people in Basel.", title="a")
    two = claim_of("In Basel, Acme Corp employs 1200 people.", title="b", agent_number=2)
    other = claim_of("Beta Corp employs 1,200 people in Basel.", title="c")
    findings = merge_claims([one, two, other])
    assert sorted(len(finding.claim_ids) for finding in findings) == [1, 2]
    assert findings[0].weight > findings[1].weight


def test_work_grows_with_the_number_of_statements_and_not_with_its_square() -> None:
    """Threshold: at 1,200 statements about one thing, under 30 pairs each; all pairs would be 600 each."""
    claims = [
        claim_of(f"The Zephyr-9 {said.format(100 + number)} in hall {place}.", title=f"s{number}{place}")
        for number in range(300)
        for place, said in enumerate(("produces {} kW", "weighs {} kg", "is {} m long", "costs {} CHF"), 1)
    ]
    by_id = {claim.id: claim for claim in claims}
    facts = [fact for finding in merge_claims(claims) for fact in facts_of(finding, by_id)]
    assert len(facts) == 1200
    assert 0 < len(pairs(facts)) < 30 * len(facts)


def test_agreeing_statements_stand_on_one_side_and_the_majority_is_preferred() -> None:
    texts = ("The Zephyr-9 engine produces 420 kW.", "The output of the Zephyr-9 is 420 kW.", RIGHT)
    claims = [claim_of(text, title=text) for text in texts]
    (conflict,) = conflicts_of(*claims)
    assert "2 independent sources against 1" in conflict.reason
    assert len(conflict.finding_ids) == 3
    assert len(conflict.agreeing_finding_ids) == 1


def test_what_the_older_source_says_is_repeated_nowhere_but_under_disagreements() -> None:
    old, new = datetime(2019, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC)
    claims = [
        claim_of("Ternary Labs has 140 staff.", title="a", published_at=old, trust=0.9),
        claim_of("Ternary Labs has 320 staff.", title="b", published_at=new),
        claim_of("With a staff of 140, Ternary Labs fills two floors in Graz.", title="c", published_at=old),
        claim_of("Ternary Labs makes sensors in Graz.", title="d", published_at=old),
    ]
    by_id = {claim.id: claim for claim in claims}
    findings = merge_claims(claims)
    conflicts = find_conflicts(findings, by_id)
    assert {conflict.kind for conflict in conflicts} == {ConflictKind.STALE}
    brief = Brief(task="How many people work at Ternary Labs?")
    subtask = Subtask(number=1, title="Staff", question=brief.task)
    report = compose_report(Material(brief, (subtask,), findings, conflicts, by_id, ()))
    snapshots = {claim.source.snapshot_sha256: claim.quote for claim in claims}
    markdown = render_report(report, by_id, snapshots.__getitem__, brief=brief).markdown
    before, _, told = markdown.partition("### Disagreements")
    assert "320" in before
    assert "sensors" in before
    assert "140" not in before
    assert "140" in told
    assert "320" in told


@pytest.mark.parametrize(
    ("left", "right", "agree"),
    [
        ("Power | 420 kW", "| Power | 420 kW |", True),
        ("Power: 420 kW", "Power | 380 kW", False),
        ("Power: 420 kW", "Power: 0.42 MW", True),
        ("Director: Karl Oster", "Director: Noor Salim", False),
        ("Features: fast", "Features: safe", True),
    ],
)
def test_rows_are_compared_with_what_stands_above_them(left: str, right: str, agree: bool) -> None:
    claims = []
    for number, row in enumerate((left, right)):
        text = f"Kestrel Forty\n\nThe data of number {number}.\n\n{row}"
        (found,) = [each for each in rows_of(text) if each.start > 20]
        claim = claim_of(text, text[found.start : found.end], title=f"Kestrel Forty {number}")
        claims.append(claim.model_copy(update={"text": found.said("Kestrel Forty")}))
    assert (conflicts_of(*claims) == ()) is agree


def test_what_is_told_of_a_bridge_by_pointing_to_it_is_told_of_that_bridge() -> None:
    texts = (
        "Counters show that 75,000 vehicles a day pass over it.",
        "Counters show that 8,500 vehicles pass over it.",
    )
    titles = ("The Crinmotal Bridge", "Fenveau profile")
    assert conflicts_of(*(claim_of(text, title=title) for text, title in zip(texts, titles, strict=True))) == ()


SHEET = "# {title}\n\n| Heading | Written beside it |\n|---|---|\n{rows}\n"
ROWS = "| Fastest pace | {0} knots |\n| Sound emission | {0} dB |\n| Chief executive | Anna Berg |"


@pytest.mark.parametrize(
    ("left", "right", "conflicts"),
    [
        ("Inventory card: Halveis", "Inventory card: Norveis", 0),
        ("Inventory card: Halveis", "Inventory card: Halveis", 2),
        ("Key figures: Kelroern heron", "Key figures: Sorna heron", 0),
        ("Halveis – technical data", "Norveis – technical data", 0),
        ("Halveis – technical data", "Technical data: Halveis", 2),
        ("Data sheet: Orlen Works", "Data sheet: Orlen Works", 2),
        ("Data sheet: Orlen Works", "Data sheet: Tarn Dairy", 0),
    ],
)
def test_a_table_of_properties_is_of_what_its_heading_names(left: str, right: str, conflicts: int) -> None:
    """Nothing tells that these columns hold properties and values, but that the values measure different things."""
    claims = []
    for title, figure in ((left, 20), (right, 31)):
        text = SHEET.format(title=title, rows=ROWS.format(figure))
        for row in rows_of(text):
            claim = claim_of(text, text[row.start : row.end], title=title)
            claims.append(claim.model_copy(update={"text": row.said(title)}))
    assert len(conflicts_of(*claims)) == conflicts


def test_a_table_of_things_keeps_its_heads() -> None:
    text = "| Pump | Rating |\n|---|---|\n| Falke | 420 kW |\n| Adler | 380 kW |"
    assert [row.said("Pumps") for row in rows_of(text)] == [
        "Pumps · Falke — Rating: 420 kW",
        "Pumps · Adler — Rating: 380 kW",
    ]


@pytest.mark.parametrize(
    "text",
    ["If a test fails — it reports the simplest one.", "He said it — “so be it.”", "Pumps — a note: they leak a lot."],
)
def test_a_sentence_with_a_dash_is_no_row(text: str) -> None:
    assert read_said(text) is None

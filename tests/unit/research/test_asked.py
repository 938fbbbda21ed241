"""Answers to one question from sources of different age: however they are worded, the older one is superseded."""

from datetime import UTC, datetime

import pytest

from activities.research.conflicts import find_conflicts
from activities.research.decomposition import plan_subtasks
from activities.research.findings import merge_claims
from activities.research.text import stem
from activities.research.wanted import wanted
from schema.contracts.research import Brief, ConflictKind
from tests.support.making import claim_of

OLD, NEW = datetime(2014, 5, 2, tzinfo=UTC), datetime(2025, 3, 14, tzinfo=UTC)

SUPERSEDED = [
    # A value that is named by the thing that holds it: a port, a channel, a gate.
    ("Which port does Corvida use?", "Clients of Corvida connect to port 9546.", "Corvida listens on port 8079."),
    ("What is the port of Corvida?", "Corvida answers on port 9546.", "Reach Corvida at port 8079."),
    (
        "On which channel does Radio Melva send?",
        "Radio Melva sends on channel 31.",
        "Tune to channel 12 for Radio Melva.",
    ),
    (
        "From which gate does the Alsa shuttle leave?",
        "The Alsa shuttle leaves from gate 9.",
        "The Alsa shuttle departs at gate 4.",
    ),
    # What is counted is not said in the question.
    ("How large is the crew of the Zorba?", "The crew of the Zorba is 14 sailors.", "The Zorba sails with 9 sailors."),
    ("How big is the fleet of Norda Lines?", "Norda Lines runs 31 ships.", "The fleet of Norda Lines has 22 ships."),
    ("What is the number of moons of Velda?", "Velda has 14 moons.", "Astronomers know 9 moons of Velda."),
    (
        "How large is the brood of the Karo finch?",
        "The brood of the Karo finch is 6 chicks.",
        "The Karo finch raises 4 chicks.",
    ),
    (
        "How many rooms does the Hotel Brisa have?",
        "Guests of the Hotel Brisa choose among 84 rooms.",
        "The Hotel Brisa offers 60 rooms.",
    ),
    (
        "What is the mayor of Fennaholm called?",
        "Fennaholm is led by Anna Bragaard, whom the citizens elected mayor.",
        "On behalf of Fennaholm, mayor Viktor Mormoard welcomed the guests.",
    ),
    # What means the same is no other circumstance.
    (
        "What is the budget of Acme?",
        "Parliament has approved a yearly budget of CHF 405 million for Acme.",
        "The annual budget of Acme adds up to CHF 595 million.",
    ),
    # Measures.
    ("How far does the Kestrel fly?", "The Kestrel flies 900 km.", "The range of the Kestrel is 700 kilometres."),
    ("How loud is the Brenta?", "One hears the Brenta at 71 dB.", "The noise of the Brenta is 64 decibels."),
    (
        "What does a ticket of the Orla tram cost?",
        "Passengers pay CHF 4.20 for the Orla tram.",
        "A ride with the Orla tram costs CHF 3.10.",
    ),
    (
        "How long does the warranty of the Tarn last?",
        "The Tarn comes with a warranty of 5 years.",
        "Buyers of the Tarn get 2 years of warranty.",
    ),
    ("How deep is Lake Sorna?", "Lake Sorna goes down to 112 m.", "Lake Sorna has a depth of 98 metres."),
    (
        "After how many days do the seeds of the Tarva cress sprout?",
        "The seeds of the Tarva cress need 9 days.",
        "The seeds of the Tarva cress sprout after 12 days.",
    ),
    (
        "How much disk space does Corvida need?",
        "At least 80 GB of disk must be free for Corvida.",
        "Corvida needs 120 GB of disk space.",
    ),
    (
        "How many visitors does the Melva Hall hold?",
        "Up to 2,300 visitors fit into the Melva Hall.",
        "The Melva Hall holds 1,570 visitors.",
    ),
    # Names and dates.
    (
        "Who is the director of the Melva Museum?",
        "The Melva Museum is headed by Anna Kell.",
        "The director of the Melva Museum is Jon Brask.",
    ),
    ("Who owns the Zorba?", "The Zorba belongs to Norda Lines.", "The Zorba is owned by Selva Marine."),
    ("Where is Tarnwerk based?", "Tarnwerk has its head office in Oslo.", "Tarnwerk is based in Bergen."),
    ("Since when has Tarnwerk existed?", "Tarnwerk has existed since 1921.", "Tarnwerk was founded in 1934."),
    # Nothing is shared but the thing, the kind of value, and the question.
    ("Which port does Corvida use?", "Corvida answers on port 9546.", "Corvida takes calls at port 1694."),
    ("At what load does the Tarn rope snap?", "The Tarn rope snapped at 90 kN.", "The Tarn rope bears 70 kN."),
    (
        "What is the litter size of the Karo fox?",
        "A litter of the Karo fox consists of 6 pups.",
        "The den of the Karo fox holds 4 pups.",
    ),
    ("When was the Zorba launched?", "The Zorba was launched in 1969.", "The Zorba entered service in 1948."),
    (
        "Over what distance does the Sorna Tunnel run?",
        "The Sorna Tunnel stretches over 990 m.",
        "The Sorna Tunnel runs over 930 m.",
    ),
    ("Who is the CEO of Tarnwerk?", "At the head of Tarnwerk stands Anna Kell.", "Jon Brask is the CEO of Tarnwerk."),
    (
        "How much does Tarnwerk turn over?",
        "Tarnwerk turned over 102 million euros.",
        "With 88 million euros in revenue, Tarnwerk closed a good year.",
    ),
    (
        "For which company does the Zorba sail?",
        "Norda Lines operates the Zorba.",
        "The owner of the Zorba is Selva Marine.",
    ),
    ("To which port does Corvida listen?", "Corvida listens on port 9546.", "The usual port of Corvida is 4410."),
    (
        "When was the Hotel Brisa founded?",
        "In 1941, two sisters founded the Hotel Brisa.",
        "In 1950, two sisters founded the Hotel Brisa.",
    ),
]

STANDING = [
    ("Which port does Corvida use?", "Corvida listens on port 9546.", "Melvida listens on port 8079."),
    ("How heavy is the Orlen pump?", "The Orlen pump weighs 12 kg.", "The Orlen valve weighs 3 kg."),
    ("How many sailors are on the Zorba?", "The Zorba has 14 sailors.", "The Zorba has 9 cabins."),
    ("Which port does Corvida use?", "Corvida listens on port 9546.", "Corvida was tested on 12 machines."),
    ("How deep is Lake Sorna?", "Lake Sorna is 112 m deep.", "Lake Sorna is 4 km long."),
    ("Who owns the Zorba?", "The Zorba belongs to Norda Lines.", "The Zorba was built by Selva Marine."),
    (
        "When was the Sorna Tunnel opened?",
        "The Sorna Tunnel was opened in 1967.",
        "The Sorna Tunnel was renovated in 1998.",
    ),
    ("Since when has Tarnwerk existed?", "Tarnwerk has existed since 1921.", "Since 1998, Tarnwerk has made boats."),
    ("How big is the fleet of Norda Lines?", "The fleet of Norda Lines has 31 ships.", "Norda Lines has 22 offices."),
    ("Where is Tarnwerk based?", "Tarnwerk is based in Oslo.", "Tarnwerk opened a shop in Bergen."),
    ("When was the Zorba launched?", "The Zorba was launched in 1969.", "The Zorba entered service in 1971."),
    ("Which port does Corvida use?", "Corvida listens on port 9546.", "The licence of Corvida is Apache 2.0."),
    (
        "Who supplies Velstone?",
        "Velstone is supplied by Arda Marine.",
        "Parts made of Velstone must cure for 33 hours.",
    ),
    (
        "Who heads Tarnwerk?",
        "Anna Kell is the CEO of Tarnwerk.",
        "Tarnwerk runs its business from an office in Bergen.",
    ),
    (
        "How heavy is the Orlen truck?",
        "The Orlen truck weighs 12 tonnes.",
        "The payload of the Orlen truck is 8 tonnes.",
    ),
    ("How long is the Brenta Bridge?", "The Brenta Bridge is 320 m long.", "The Brenta Bridge is 20 m wide."),
    ("How many rooms does the Hotel Brisa have?", "The Hotel Brisa has 84 rooms.", "The Hotel Brisa has 12 suites."),
    # A figure of the same kind, of something else that is done with it.
    ("How long does Velresin take to set?", "Velresin sets in 20 hours.", "Velresin keeps for 300 hours."),
    (
        "What does a ride with the Orla tram cost?",
        "A ride with the Orla tram costs CHF 3.10.",
        "Passengers of the Orla tram are fined CHF 90.",
    ),
    ("How fast is the Kestrel?", "The Kestrel reaches 900 km/h.", "The Kestrel lands at 220 km/h."),
    ("How much disk space does Corvida need?", "Corvida needs 120 GB of disk.", "Corvida writes 4 GB of logs."),
    ("To which port does Corvida listen?", "Corvida listens on port 9546.", "The oldest release of Corvida is 4410."),
    (
        "Who leads Rasmoard Optics?",
        "Elena Wexloard is the chief executive of Rasmoard Optics.",
        "The head office of Rasmoard Optics is in Wexroford.",
    ),
    (
        "managing director of Rasmoard Optics",
        "Elena Wexloard is the chief executive of Rasmoard Optics.",
        "The head office of Rasmoard Optics is in Wexroford.",
    ),
]


def _kinds(question: str, newer: str, older: str) -> list[ConflictKind]:
    said = (
        claim_of(newer, title="Notes", published_at=NEW),
        claim_of(older, title="Archive", published_at=OLD),
    )
    claims = {claim.id: claim for claim in said}
    found = find_conflicts(merge_claims(said), claims, [question])
    chosen = [next(f for f in merge_claims(said) if f.id == each.chosen_finding_id) for each in found]
    assert all(finding.text == newer for finding in chosen)
    return [each.kind for each in found]


@pytest.mark.parametrize(("question", "newer", "older"), SUPERSEDED)
def test_an_older_answer_is_superseded_however_it_is_worded(question: str, newer: str, older: str) -> None:
    assert _kinds(question, newer, older) == [ConflictKind.STALE]


@pytest.mark.parametrize(("question", "newer", "older"), STANDING)
def test_an_older_statement_of_something_else_stands(question: str, newer: str, older: str) -> None:
    assert _kinds(question, newer, older) == []


def test_whoever_says_the_same_in_other_words_takes_that_side() -> None:
    question = "How long is the Sorna Tunnel?"
    said = (
        claim_of("The Sorna Tunnel is 930 m long.", title="Third"),
        claim_of("From one portal of the Sorna Tunnel to the other one walks 990 m.", title="First"),
        claim_of("The Sorna Tunnel is 990 m long.", title="Second"),
    )
    found = find_conflicts(merge_claims(said), {claim.id: claim for claim in said}, [question])
    chosen = next(each for each in merge_claims(said) if each.id == found[0].chosen_finding_id)
    assert "990" in chosen.text
    assert len(found[0].finding_ids) == 3


@pytest.mark.parametrize(
    ("question", "other_words", "same_words", "rival"),
    [
        (
            "Who is the only carrier of Velstone?",
            "Arda Marine carries Velstone to every port.",
            "Velstone is shipped by Arda Marine.",
            "Velstone is shipped by Norda Lines.",
        ),
        (
            "What is the founding year of Tarnwerk?",
            "1921 is the year in which Tarnwerk came into the world.",
            "Tarnwerk was founded in 1921.",
            "Tarnwerk was founded in 1912.",
        ),
    ],
)
def test_a_majority_in_several_words_is_one(question: str, other_words: str, same_words: str, rival: str) -> None:
    """Also where the disagreement shows without the question: two sentences of one make."""
    said = tuple(
        claim_of(text, title=title) for title, text in (("One", other_words), ("Two", same_words), ("Three", rival))
    )
    findings = merge_claims(said)
    [found] = find_conflicts(findings, {claim.id: claim for claim in said}, [question])
    chosen = next(each for each in findings if each.id == found.chosen_finding_id)
    assert chosen.text in (other_words, same_words)
    assert "2 independent sources against 1" in found.reason


def test_how_a_list_is_introduced_is_no_part_of_its_questions() -> None:
    task = "Please answer these questions from our documents:\n- How long is the Sorna Tunnel?\n- Who owns the Zorba?"
    asked = [subtask.question for subtask in plan_subtasks(Brief(task=task, agents_max=4))]
    assert asked == ["How long is the Sorna Tunnel?", "Who owns the Zorba?"]


@pytest.mark.parametrize(
    "question",
    [
        "By whom was Velstone first described?",
        "To what is the pressure of Velstone set?",
        "At how many degrees does Velstone soften?",
        "Whom did makers of Velstone choose as chairman?",
        "Who first described Velstone?",
    ],
)
def test_a_question_is_about_what_it_names_however_it_begins(question: str) -> None:
    asked = wanted(question)
    assert asked.subject == {stem("velstone")}
    assert asked.is_definite


@pytest.mark.parametrize(
    "question",
    [
        "How do I build a UDP server that serves every client in a thread of its own?",
        "Why did Pydantic take back the escaping of passwords in its URLs?",
        "How can I dump a TrueType font as XML and build it again?",
        "How does SQLAlchemy find out that a pooled connection has died?",
    ],
)
def test_what_explains_has_no_value_that_is_asked_for(question: str) -> None:
    assert not wanted(question).dimensions
    assert not wanted(question).is_definite


@pytest.mark.parametrize(
    "question",
    ["How do I find out the weight of the Falke 200?", "How does the Falke 200 fly, and how fast is it?"],
)
def test_what_asks_for_a_value_besides_has_one(question: str) -> None:
    assert wanted(question).dimensions

"""How many planted contradictions are told, and how many near-misses are taken for one, set by set.

`dev` and `dev2` were developed with; `held` was only counted. `final` was written after the code and measured once,
at 21 of 26 found and 2 of 26 false (20 and 2 in reports); what it showed was mended afterwards, so that only its first
measure says how the next unseen set would do.
"""

import pytest

from tests.support.corpus import ReadCorpus
from tests.support.pairs import asked, compared, disagreements_of, is_disclosed, load
from tests.support.texts import PLANTED, package_descriptions

FLOORS = {"dev": (40, 0), "dev2": (24, 0), "held": (31, 4), "final": (26, 0)}
"""Contradictions found at least, false alarms at most: all that two documents say is compared."""
DISCLOSED = {"dev": (40, 0, 1), "dev2": (23, 1, 2), "held": (35, 5, 2), "final": (25, 2, 0)}
"""The same through reading, searching, ranking and writing, all pairs of a set in one corpus among distractors; the
third is how many may be told of only *if all of them mean the same*."""


@pytest.mark.parametrize("name", FLOORS)
def test_contradictions_between_two_documents(name: str) -> None:
    pairs, near = load(name)
    found = [pair for pair in pairs if compared(pair)[0]]
    false = [pair for pair in near if compared(pair)[0]]
    least, most = FLOORS[name]
    assert len(found) >= least, [pair.texts for pair in pairs if pair not in found]
    assert len(false) <= most, [pair.texts for pair in false]


@pytest.mark.parametrize("name", DISCLOSED)
async def test_contradictions_disclosed_in_reports(name: str) -> None:
    pairs, near = load(name)
    distractors = package_descriptions(30)
    files = distractors | PLANTED
    for number, pair in enumerate(pairs):
        files = files | pair.files(f"pair{number}")
    corpus = ReadCorpus(files)
    missed = [pair for pair in pairs if not is_disclosed(pair, disagreements_of(await asked(corpus, pair.question)))]
    few = dict(list(distractors.items())[:6])
    false = [
        (pair, told)
        for pair in near
        if (told := disagreements_of(await asked(ReadCorpus(few | pair.files("near")), pair.question)))
    ]
    least, most, perhaps = DISCLOSED[name]
    assert len(pairs) - len(missed) >= least, [pair.question for pair in missed]
    assert len(false) <= most + perhaps, [pair.texts for pair, _ in false]
    sure = [pair for pair, told in false if "The sources disagree about" in told]
    assert len(sure) <= most, [pair.texts for pair in sure]

"""Cells against generated corpora: what is filled is right; templates that nothing was tuned on are measured apart."""

import pytest

from activities.research.filling import fill, next_search
from schema.contracts.research import Brief, Finish, Passage, StepRecord
from schema.contracts.tables import Cell, FillRequest
from tests.support.corpus import ReadCorpus
from tests.support.tables import DOMAINS, Corpus, Domain, Score, generate

ROWS = 24


def filled(corpus: Corpus, read: ReadCorpus) -> Score:
    """Do in memory what the agents of a table do, and compare."""
    score, items = Score(), tuple(corpus.truth)
    for item in items:
        steps: list[StepRecord] = []
        cells: tuple[Cell, ...] = ()
        while not isinstance(
            act := next_search(
                item, corpus.columns, cells, steps, tools=("corpus.search", "document.read"), steps_left=6 - len(steps)
            ),
            Finish,
        ):
            passages: tuple[Passage, ...] = (
                read.search(str(act.arguments["query"]), int(str(act.arguments["limit"])))
                if act.tool == "corpus.search"
                else read.read(str(act.arguments["document_id"]))
            )
            steps.append(
                StepRecord(step=len(steps), tool=act.tool, arguments=act.arguments, ok=True, passages=passages)
            )
            found = tuple({(p.source.uri, p.start): p for step in steps for p in step.passages}.values())
            request = FillRequest(
                brief=Brief(task="Fill the table."),
                item=item,
                others=tuple(other for other in items if other != item),
                columns=corpus.columns,
                passages=found,
            )
            cells = fill(request).cells
            for cell in cells:
                for evidence in cell.evidence:
                    assert read.snapshots[evidence.snapshot_sha256][evidence.start : evidence.end] == evidence.quote
        score.add(item, cells, corpus.truth[item])
    return score


@pytest.mark.parametrize("held_out", [False, True], ids=["tuned", "held-out"])
@pytest.mark.parametrize("domain", DOMAINS, ids=lambda domain: domain.name)
def test_cells_are_right(domain: Domain, held_out: bool) -> None:
    corpus = generate(domain, ROWS, seed=1, held_out=held_out, stale=0.3)
    score = filled(corpus, ReadCorpus(corpus.files))
    print(
        f"{domain.name} {held_out}: precision {score.precision:.3f} recall {score.recall:.3f} "
        f"rows {score.rows_right}/{score.rows}"
    )
    print("\n".join(score.errors))
    assert score.precision >= 0.97
    assert score.recall >= 0.9

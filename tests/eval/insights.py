"""The analysis of data: planted faults found, false findings, and every number of every sentence recounted.

`make eval PART=data SEED=...`: thirty tables of eight domains in six formats and eight locales; a seed that nobody
developed with is any but 1 to 9.
"""

import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from activities.insights.examine import examine
from schema.contracts.insights import AnalysisOptions, TableAnalysis
from tests.eval.asking import Bench
from tests.eval.metrics import Measure, Table, share
from tests.eval.planting import Split
from tests.support.data_planting import AS_OF, TABLES, Planted, plant, score
from tests.support.data_recount import fault, read

SENTENCES = 1_000


def run(bench: Bench, *, seed: int, split: Split) -> list[Table]:
    """Return the tables of this part."""
    del bench, split
    return [findings(seed), sentences(seed)]


def analysed(seed: int, tables: int = TABLES) -> Iterator[tuple[Planted, TableAnalysis]]:
    """Yield planted files with what was found in each."""
    with tempfile.TemporaryDirectory() as folder:
        for number in range(tables):
            planted = plant(seed, number)
            path = Path(folder, planted.filename)
            path.write_bytes(planted.data)
            options = AnalysisOptions(as_of=AS_OF.isoformat(), charts=False)
            yield planted, examine(path, planted.filename, options).tables[0]


def findings(seed: int, tables: int = TABLES) -> Table:
    """Compare findings with what was planted."""
    hits: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    notes: list[str] = []
    for planted, table in analysed(seed, tables):
        found = score(planted, list(table.findings))
        hits.update(truth.kind.value for truth in found.hits)
        missed.update(truth.kind.value for truth in found.missed)
        wrong.update(finding.kind.value for finding in found.wrong)
        notes += [
            f"{planted.filename}: missed {truth.kind.value} of {', '.join(truth.columns)}" for truth in found.missed
        ]
        notes += [f"{planted.filename}: wrong {finding.kind.value}: {finding.sentence}" for finding in found.wrong]
    right = hits.total()
    result = Table(f"Findings in {tables} planted tables, seed {seed}", notes=notes)
    result.measures = [
        share("recall", right, right + missed.total(), floor=0.9),
        share("precision", right, right + wrong.total(), floor=0.9),
        *(share(f"recall of {kind}", hits[kind], hits[kind] + missed[kind]) for kind in sorted(hits | missed)),
    ]
    return result


def sentences(seed: int, wanted: int = SENTENCES) -> Table:
    """Recount every number of at least `wanted` sentences."""
    told: Counter[str] = Counter()
    faults: list[str] = []
    more = 0
    while told.total() < wanted:
        for planted, table in analysed(seed + more):
            columns = read(planted)
            for insight in table.insights:
                told[insight.kind.value] += 1
                wrong = fault(insight, planted, columns)
                if wrong:
                    faults.append(f"{planted.filename}: {insight.sentence} {wrong}")
        more += 1
    result = Table(f"Numbers of {told.total()} sentences recounted, from seed {seed} on", notes=faults)
    result.measures = [
        Measure("sentences", float(told.total()), floor=float(wanted)),
        Measure("sentences with a wrong number", float(len(faults)), ceiling=0.0),
        *(Measure(f"sentences: {kind}", float(count)) for kind, count in sorted(told.items())),
    ]
    return result

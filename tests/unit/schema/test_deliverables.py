"""What a run is to deliver, read from its context: whatever stands there, the run can be settled."""

from typing import Any

import pytest

from schema.contracts.deliverables import ExportFormat
from schema.store.exports import deliverables_of
from schema.tables.runs import Run


@pytest.mark.parametrize(
    ("context", "formats"),
    [
        ({}, []),
        ({"deliverables": ["pdf", "pptx"]}, [ExportFormat.PDF, ExportFormat.PPTX]),
        ({"deliverables": ["a poem", {}, 3, "pdf"]}, [ExportFormat.PDF]),
        ({"deliverables": "pdf, and soon"}, []),
        ({"deliverables": None}, []),
    ],
    ids=["none", "formats", "also", "prose", "null"],
)
def test_a_context_from_before_there_were_deliverables(context: dict[str, Any], formats: list[ExportFormat]) -> None:
    assert deliverables_of(Run(context=context)) == formats

"""Data as files of a run: an analysis, its charts, and its sentences as a text that can be cited."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from activities.files.reader import Assembled, Blob, Extent, Reading, Source
from activities.insights.analysing import analyse
from activities.insights.text import document_of
from schema.contracts.files import Portion
from schema.contracts.insights import Analysis, AnalysisOptions

MEGABYTE = 1_000_000


class DataReader:
    """Reads tables, in the sandbox."""

    version = "data-1"

    async def inspect(self, source: Source) -> Extent:
        """Count megabytes; rows and columns are counted before everything is in memory, when it is read."""
        return Extent("data.megabyte", -(-source.size_bytes // MEGABYTE))

    async def read(
        self,
        source: Source,
        facts: Mapping[str, Any],
        portion: Portion,
        progress: Callable[[float], None],
        first: Mapping[str, Any] | None = None,
    ) -> Reading:
        """Analyse the whole file; raises as `Reader.read`."""
        analysed = await analyse(source.path, source.name, AnalysisOptions())
        charts = {
            f"{chart.name}.{ending}": Blob(mime, data)
            for chart in analysed.charts
            for ending, mime, data in (("png", "image/png", chart.png), ("svg", "image/svg+xml", chart.svg))
        }
        return Reading(analysed.analysis.model_dump(mode="json"), charts)

    async def assemble(self, name: str, facts: Mapping[str, Any], readings: Sequence[Mapping[str, Any]]) -> Assembled:
        """Return the analysis under the file's own name, and its sentences."""
        (value,) = readings
        analysis = Analysis.model_validate({**value, "filename": name})
        return Assembled(analysis.model_dump(mode="json"), document_of(analysis))

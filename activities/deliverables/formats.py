"""The formats of exports: what a file of each is called, and what builds it."""

from dataclasses import dataclass

from schema.contracts.deliverables import ExportFormat, ExportOptions

_OFFICE = "application/vnd.openxmlformats-officedocument"


@dataclass(frozen=True)
class Form:
    """One format."""

    stem: str
    mime_type: str


FORMS = {
    ExportFormat.MD: Form("report", "text/markdown"),
    ExportFormat.HTML: Form("report", "text/html"),
    ExportFormat.PDF: Form("report", "application/pdf"),
    ExportFormat.DOCX: Form("report", f"{_OFFICE}.wordprocessingml.document"),
    ExportFormat.PPTX: Form("presentation", f"{_OFFICE}.presentationml.presentation"),
    ExportFormat.JSON: Form("run", "application/json"),
    ExportFormat.ZIP: Form("run", "application/zip"),
    ExportFormat.WAV: Form("report", "audio/wav"),
}
PICTURED = frozenset({ExportFormat.HTML, ExportFormat.PDF, ExportFormat.DOCX, ExportFormat.PPTX})
"""Formats that show the run's charts, and the organisation's logo."""


def filename(format: ExportFormat, options: ExportOptions) -> str:
    """Return the name of an export's artifact: the same for the same format and options, and for no others."""
    more = [
        *(["artifacts"] if options.include_artifacts else []),
        *(["log"] if options.include_logs else []),
    ]
    stem = FORMS[format].stem + (f"-with-{'-and-'.join(more)}" if more else "")
    if format is ExportFormat.PPTX and options.max_slides != ExportOptions().max_slides:
        stem += f"-{options.max_slides}"
    return f"{stem}.{format.value}"

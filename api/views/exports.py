"""Exports of runs, and how they look: how they are asked for and shown."""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from api.serialisation import Instant
from api.views.base import Ask, Listing, Text, View
from schema.contracts.deliverables import ExportFormat, ExportOptions, Theme
from schema.policies import SLIDES_DEFAULT, SLIDES_MAX, SLIDES_MIN
from schema.store.exports import Exported

ExportStatus = Literal["processing", "completed", "failed", "cancelled"]
Colour = Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$")]
FontFamily = Annotated[str, StringConstraints(min_length=1, max_length=60, pattern=r"^[A-Za-z0-9][A-Za-z0-9 .-]*$")]


class CreateExport(Ask):
    """A file to be made of a finished run."""

    format: Annotated[ExportFormat, Field(strict=False)] = Field(description="What it is to be.")
    include_artifacts: bool = Field(
        default=False, description="With the run's artifacts: in a `zip` their files, elsewhere a list of them."
    )
    include_logs: bool = Field(default=False, description="With the run's log.")
    max_slides: int = Field(
        default=SLIDES_DEFAULT, ge=SLIDES_MIN, le=SLIDES_MAX, description="Of a `pptx`: most slides that it may have."
    )

    @property
    def options(self) -> ExportOptions:
        """Return what the export holds."""
        return ExportOptions(
            include_artifacts=self.include_artifacts, include_logs=self.include_logs, max_slides=self.max_slides
        )


class ExportView(View):
    """An export of a run."""

    id: str
    run_id: str
    format: ExportFormat
    status: ExportStatus
    include_artifacts: bool
    include_logs: bool
    max_slides: int | None
    """Of a `pptx`."""
    name: str | None
    """Of the file, once it is there."""
    mime_type: str | None
    file_size_bytes: int | None
    sha256: str | None
    """Of the file: what `swissbrain verify` shows for a pack, too."""
    error: dict[str, Any] | None
    """Why there is no file: `code` and `detail`."""
    created_at: Instant
    completed_at: Instant | None
    expires_at: Instant | None
    """Until when the file is kept; then downloads answer 410, and the run can be exported again."""
    links: dict[str, str] = Field(alias="_links")


class ExportList(Listing):
    """The exports of a run."""

    exports: list[ExportView]


def export_view(found: Exported) -> ExportView:
    """Show an export."""
    export, artifact = found.export, found.artifact
    options = ExportOptions.model_validate(export.options)
    links = {
        "self": f"/api/v1/exports/{export.id}",
        "run": f"/api/v1/runs/{export.run_id}",
        "download": f"/api/v1/exports/{export.id}/download",
    }
    return ExportView(
        id=export.id,
        run_id=export.run_id,
        format=ExportFormat(export.format),
        status=export.status,
        include_artifacts=options.include_artifacts,
        include_logs=options.include_logs,
        max_slides=options.max_slides if export.format == ExportFormat.PPTX else None,
        name=artifact.name if artifact else None,
        mime_type=artifact.mime_type if artifact else None,
        file_size_bytes=artifact.size_bytes if artifact else None,
        sha256=artifact.content_sha256 if artifact else None,
        error=export.error,
        created_at=export.created_at,
        completed_at=export.completed_at,
        expires_at=artifact.expires_at if artifact else None,
        links=links,
    )


class ChangeTheme(Ask):
    """What changes of the organisation's look; what is left out stays, null is the product's own."""

    primary: Colour | None = Field(default=None, description="Of titles, `#rrggbb`.")
    accent: Colour | None = Field(default=None, description="Of emphasis, `#rrggbb`.")
    heading_font: FontFamily | None = Field(default=None, description="Family of titles.")
    body_font: FontFamily | None = Field(default=None, description="Family of text.")
    footer: Annotated[Text, Field(min_length=1, max_length=120)] | None = Field(
        default=None, description="Stands on every page and slide: a name, a notice."
    )
    logo_file_id: Annotated[str, StringConstraints(pattern=r"^file_[0-9a-f]{32}$")] | None = Field(
        default=None, description="A file of the organisation, PNG or JPEG; it is copied."
    )


class ThemeView(View):
    """How the organisation's documents and decks look."""

    primary: str | None
    accent: str | None
    heading_font: str | None
    body_font: str | None
    footer: str | None
    logo_sha256: str | None
    logo_url: str | None
    """A link that ends after some minutes."""


def theme_view(theme: Theme, logo_url: str | None) -> ThemeView:
    """Show a theme."""
    return ThemeView(
        **theme.model_dump(exclude={"logo", "logo_mime"}),
        logo_sha256=theme.logo.sha256 if theme.logo else None,
        logo_url=logo_url,
    )

"""Runs: what is asked for, and how a run is shown (specification, 2.2, field for field)."""

import json
import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from api.serialisation import Credits, Instant
from api.views.asked import AskedTable
from api.views.base import Ask, FilledText, Listing, Text, View, storable_json
from api.views.tool_policy import ToolNames, ToolPolicyView, policy_of
from schema.contracts.deliverables import ExportFormat
from schema.contracts.policy import ToolPolicy
from schema.contracts.research import SourceKind
from schema.errors import ValidationFailed
from schema.money import CREDITS_MAX, PCR_PER_UCR, UCR_PER_CREDIT, credits_to_ucr, ucr_to_credits
from schema.outputs import fields_of_schema
from schema.policies import (
    AGENTS_DEFAULT,
    AGENTS_MAX,
    CONTEXT_BYTES_MAX,
    DESCRIPTION_LENGTH_MAX,
    FILES_PER_RUN_MAX,
    NAME_LENGTH_MAX,
    TABLE_TOKENS_PER_ROW,
    TASK_LENGTH_MAX,
    TOKENS_DEFAULT,
    TOKENS_MAX,
    TOKENS_MIN,
)
from schema.states import COMMANDS, RunStatus, StatusDetail
from schema.store.forms import Progress
from schema.tables.billing import CreditHold
from schema.tables.forms import RunForm
from schema.tables.runs import Artifact, Run

NAME_FROM_TASK = 80
"""A run without a name gets this many characters of its task."""


def _plain(value: object) -> object:
    """Refuse what Python reads as a number and JSON does not know: `1_000`, `５`, ` 5 `; and exponents, in texts."""
    if isinstance(value, str) and not re.fullmatch(r"-?[0-9]{1,10}(\.[0-9]{1,6})?", value):
        raise ValueError("must be a number, or a number's digits as text, for example 50.00")
    return value


def _show_credits(schema: dict[str, Any]) -> None:
    """Say what pydantic does not show of a decimal: the form of the text.

    `multipleOf` is left out: 50.01 / 0.000001 is no whole number in binary floats, and validators would refuse it.
    """
    number = {
        "type": "number",
        "minimum": 0.000001,
        "maximum": int(CREDITS_MAX),
        "description": "Six decimals at most.",
    }
    text = {
        "type": "string",
        "pattern": r"^(?=.*[1-9])(0?[0-9]{1,9}(\.[0-9]{1,6})?|1000000000(\.0{1,6})?)$",
        "description": "The same as a text, which no JSON library rounds.",
    }
    schema["anyOf"] = [number, text]


PositiveCredits = Annotated[
    Decimal,
    Field(gt=0, le=CREDITS_MAX, decimal_places=6, strict=False, examples=[50.00], json_schema_extra=_show_credits),
    BeforeValidator(_plain),
]
"""An amount of credits in a request: a JSON number (or a string, which no JSON library rounds), six decimals at
most.
"""


_ONE_FORM: dict[str, Any] = {
    "anyOf": [{"properties": {"table": {"type": "null"}}}, {"properties": {"output_schema": {"type": "null"}}}]
}
"""A table or an output schema, not both: for the OpenAPI document."""


BESIDE_CONTEXT = ("max_credits", "deliverables")
"""Fields of a run that are kept in its context, and are not given there."""


def _each_once(formats: list[ExportFormat]) -> list[ExportFormat]:
    if len(set(formats)) != len(formats):
        raise ValueError("must name each format once")
    return formats


Deliverables = Annotated[
    list[Annotated[ExportFormat, Field(strict=False)]],
    Field(json_schema_extra={"uniqueItems": True}),
    AfterValidator(_each_once),
]


class CreateRun(Ask):
    """A run to create. Nothing is held until it is started."""

    model_config = ConfigDict(json_schema_extra=_ONE_FORM)

    task: FilledText = Field(min_length=1, max_length=TASK_LENGTH_MAX, description="What is to be found out.")
    name: FilledText | None = Field(
        default=None, max_length=NAME_LENGTH_MAX, description=f"Default: the task's first {NAME_FROM_TASK} characters."
    )
    description: Text | None = Field(default=None, max_length=DESCRIPTION_LENGTH_MAX)
    max_agents: int = Field(
        default=AGENTS_DEFAULT,
        ge=1,
        le=AGENTS_MAX,
        description="Most agents of the run; of a run with a `table`, most rows that are worked on at once.",
    )
    max_tokens: int = Field(
        default=TOKENS_DEFAULT,
        ge=TOKENS_MIN,
        le=TOKENS_MAX,
        description=f"Most tokens of the run. Default with a `table`: {TABLE_TOKENS_PER_ROW} per row, if that is more.",
    )
    max_credits: PositiveCredits | None = Field(
        default=None, description="Most that the run may cost; lowers the hold that its start places."
    )
    context: dict[str, Any] = Field(
        default_factory=dict,
        description=f"Anything that helps, up to {CONTEXT_BYTES_MAX} bytes of JSON. `sources` (a list of `corpus`, "
        "`web`, `academic`, `news`) narrows where the run looks; the default is all that is configured. `files` (a "
        "list of ids) are files that the run searches too.",
    )

    table: AskedTable | None = Field(
        default=None, description="Items and columns: the run fills a table, with one agent per row."
    )
    output_schema: dict[str, Any] | None = Field(
        default=None,
        description="A JSON Schema (a documented subset): the run delivers `output.json`, with evidence per value.",
    )

    deliverables: Deliverables = Field(
        default_factory=list,
        max_length=len(ExportFormat),
        description="Formats that the run is exported to once it has completed, as `POST /runs/{id}/export` would; "
        "they are at `GET /runs/{id}/exports`.",
    )
    tools: ToolNames | None = Field(
        default=None,
        min_length=1,
        description="Tools that agents may call, of those that the organisation allows; default: all of them.",
    )
    free_browsing: bool | None = Field(
        default=None,
        description="Whether agents may fetch addresses that neither the task nor a source gave them, where the "
        "organisation allows it; default: as the organisation has it.",
    )
    require_approval: ToolNames = Field(
        default_factory=list,
        description="Tools of which every call waits for an administrator, beside those that the organisation names.",
    )

    def tool_policy(self, organisation: ToolPolicy) -> ToolPolicy:
        """Return what the run's agents may do.

        Raises:
            ValidationFailed: nothing is left of the tools that it asks for.
        """
        policy = organisation.narrowed(
            tools=self.tools, free_browsing=self.free_browsing, require_approval=self.require_approval
        )
        if self.tools is not None and len(policy.tools or ()) < len(self.tools):
            closed = sorted(set(self.tools) - set(policy.tools or ()))
            detail = f"The organisation does not allow {', '.join(closed)}."
            raise ValidationFailed(detail, errors=[{"field": "tools", "message": detail}])
        return policy

    @field_validator("output_schema")
    @classmethod
    def _schema_is_supported(cls, schema: dict[str, Any] | None) -> dict[str, Any] | None:
        if schema is not None:
            storable_json(schema)
            fields_of_schema(schema)
        return schema

    @model_validator(mode="after")
    def _one_form(self) -> "CreateRun":
        if self.table is not None and self.output_schema is not None:
            raise ValueError("a run fills a `table` or an `output_schema`, not both")
        return self

    @property
    def rows(self) -> int:
        """Return how many rows the run fills; 0 where it fills no table."""
        return len(self.table.items) if self.table is not None else 0

    @property
    def stored_tokens(self) -> int:
        """Return the limit of tokens: a table's default grows with its rows."""
        if "max_tokens" in self.model_fields_set:
            return self.max_tokens
        return min(TOKENS_MAX, max(self.max_tokens, self.rows * TABLE_TOKENS_PER_ROW))

    @field_validator("context")
    @classmethod
    def _context_fits(cls, context: dict[str, Any]) -> dict[str, Any]:
        storable_json(context)
        if len(json.dumps(context, ensure_ascii=False).encode()) > CONTEXT_BYTES_MAX:
            raise ValueError(f"must not be larger than {CONTEXT_BYTES_MAX} bytes of JSON")
        for name in BESIDE_CONTEXT:
            if name in context:
                raise ValueError(f"give `{name}` beside `context`, not in it")
        if "sources" in context:
            _check_sources(context["sources"])
        if "files" in context:
            _check_files(context["files"])
        return context

    @property
    def stored_name(self) -> str:
        """Return the name, or one made of the task."""
        return self.name or " ".join(self.task.split())[:NAME_FROM_TASK].strip()

    @property
    def stored_context(self) -> dict[str, Any]:
        """Return the context with what is kept in it: the ceiling, as text, which keeps it exact, and deliverables."""
        kept: dict[str, Any] = {}
        if self.max_credits is not None:
            kept["max_credits"] = str(self.max_credits)
        if self.deliverables:
            kept["deliverables"] = [each.value for each in self.deliverables]
        return {**self.context, **kept}


def _check_sources(sources: object) -> None:
    kinds = [kind.value for kind in SourceKind]
    if not isinstance(sources, list) or not sources or len(set(map(str, sources))) != len(sources):
        raise ValueError(f"`sources` must be a list of one or more of {', '.join(kinds)}, each once")
    unknown = [source for source in sources if source not in kinds]
    if unknown:
        raise ValueError(f"`sources` knows {', '.join(kinds)}; not {unknown[0]!r}")


def _check_files(files: object) -> None:
    if not isinstance(files, list) or not 0 < len(files) <= FILES_PER_RUN_MAX or len(set(map(str, files))) < len(files):
        raise ValueError(f"`files` must be a list of 1 to {FILES_PER_RUN_MAX} ids of files, each once")
    if wrong := [file for file in files if not isinstance(file, str) or not re.fullmatch(r"file_[0-9a-f]{32}", file)]:
        raise ValueError(f"`files` must be a list of ids of files, as `file_...`; not {str(wrong[0])[:80]!r}")


class ResumeRun(Ask):
    """A resume; with `add_credits` for a run that waits for credits."""

    add_credits: PositiveCredits | None = Field(default=None, description="Raises the run's hold by this much first.")

    @property
    def added_ucr(self) -> int:
        """Return what is added, in micro-credits."""
        return 0 if self.add_credits is None else credits_to_ucr(self.add_credits)


class CancelRun(Ask):
    """A cancel, with an optional reason for the log."""

    reason: FilledText | None = Field(default=None, max_length=500)


class ArtifactLink(View):
    """An artifact as a run shows it."""

    id: str
    name: str
    mime_type: str
    s3_url: str
    """A link that downloads it; it ends after some minutes, so get a new one instead of keeping it."""


class ArtifactView(ArtifactLink):
    """An artifact."""

    run_id: str
    description: str | None
    file_size_bytes: int
    sha256: str
    created_at: Instant
    expires_at: Instant | None
    links: dict[str, str] = Field(alias="_links")


class ArtifactList(View):
    """The artifacts of a run."""

    artifacts: list[ArtifactView]


class RunSummary(View):
    """A run in a list."""

    id: str
    org_id: str
    user_id: str
    status: RunStatus
    status_detail: StatusDetail | None
    name: str
    task: str
    attempt_number: int
    created_at: Instant
    started_at: Instant | None
    completed_at: Instant | None
    agent_count: int
    tokens_used: int
    links: dict[str, str] = Field(alias="_links")


class RunList(Listing):
    """A page of runs, newest first."""

    runs: list[RunSummary]


class CreatedRun(View):
    """The answer to a creation."""

    id: str
    org_id: str
    user_id: str
    status: RunStatus
    name: str
    created_at: Instant
    credits_reserved: Credits
    """What a start will hold; nothing is held yet."""
    links: dict[str, str] = Field(alias="_links")


class RunView(RunSummary):
    """A run in full."""

    description: str | None
    context: dict[str, Any]
    max_agents: int
    max_tokens: int
    max_credits: Credits | None
    tries: int
    """Automatic retries made within the attempt."""
    paused_at: Instant | None
    resumed_at: Instant | None
    updated_at: Instant
    duration_ms: int | None
    """From the first start to the end, or to the last change while the run is live; null before the start."""
    credits_quoted: Credits
    """What a start of this run holds."""
    credits_reserved: Credits
    """Before the start what it will hold; then what is held; 0 once settled."""
    credits_used: Credits
    """What the attempt has used so far, exactly; not charged yet."""
    credits_charged: Credits
    """What was charged at the end."""
    credits_released: Credits
    """What of the hold was given back at the end."""
    tool_policy: ToolPolicyView
    """What its agents may do, fixed when it was created."""
    quality: dict[str, Any] | None
    last_error: dict[str, Any] | None
    table: dict[str, int] | None
    """Of a run that fills a table: `rows`, `completed`, `failed`, `cells_filled`; the rows are at `_links.table`."""
    output_schema: dict[str, Any] | None
    output: dict[str, Any] | None
    """`{value, fields, missing}` once the run has delivered its structured output."""
    archived_at: Instant | None = None
    """When retention took it to the archive; its files, events and steps are at `_links.archive` then."""
    artifacts: list[ArtifactLink]


class StartedRun(View):
    """The answer to a start."""

    id: str
    status: RunStatus
    status_detail: StatusDetail | None
    started_at: Instant | None
    agent_count: int
    tokens_used: int
    credits_reserved: Credits


class PausedRun(View):
    """The answer to a pause; 202 while agents are still on their way to their gates."""

    id: str
    status: RunStatus
    status_detail: StatusDetail | None
    paused_at: Instant | None
    agents_paused: int


class ResumedRun(View):
    """The answer to a resume."""

    id: str
    status: RunStatus
    status_detail: StatusDetail | None
    resumed_at: Instant | None


class CancelledRun(View):
    """The answer to a cancel; 202 while agents and tools are being stopped."""

    id: str
    status: RunStatus
    status_detail: StatusDetail | None
    cancelled_at: Instant | None
    credits_refunded: Credits
    """What of the hold was given back."""
    credits_charged: Credits


class RetriedRun(View):
    """The answer to a retry."""

    id: str
    status: RunStatus
    attempt_number: int
    credits_reserved: Credits


class FinishingRun(View):
    """The answer to a finish: the report is written with what there is."""

    id: str
    status: RunStatus
    status_detail: StatusDetail | None


class StatusChange(View):
    """One step in a run's life."""

    attempt: int
    from_status: RunStatus | None
    to_status: RunStatus
    at: Instant


class StatusChangeList(View):
    """A run's life so far."""

    status_changes: list[StatusChange]


def run_links(run: Run) -> dict[str, str]:
    """Return where to go from a run; of the commands only those that its status allows."""
    base = f"/api/v1/runs/{run.id}"
    links = {"self": base}
    if run.status != RunStatus.CREATED:
        links |= {
            name: f"{base}/{name}" for name in ("logs", "artifacts", "agents", "tasks", "steps", "sources", "claims")
        }
    links |= {
        command.value: f"{base}/{command.value}" for command, allowed in COMMANDS.items() if run.status in allowed
    }
    return links


def created(run: Run) -> CreatedRun:
    """Show a run that was just created."""
    return CreatedRun(
        id=run.id,
        org_id=run.org_id,
        user_id=run.user_id,
        status=RunStatus(run.status),
        name=run.name,
        created_at=run.created_at,
        credits_reserved=ucr_to_credits(run.quoted_ucr),
        links=run_links(run),
    )


def summary(run: Run) -> RunSummary:
    """Show a run in a list."""
    return RunSummary(**_summary(run))


def _summary(run: Run) -> dict[str, Any]:
    return {
        "id": run.id,
        "org_id": run.org_id,
        "user_id": run.user_id,
        "status": run.status,
        "status_detail": run.status_detail,
        "name": run.name,
        "task": run.task,
        "attempt_number": run.attempt,
        "created_at": run.created_at,
        "started_at": run.started_at,
        "completed_at": run.completed_at,
        "agent_count": run.agent_count,
        "tokens_used": run.tokens_used,
        "links": run_links(run),
    }


def full(
    run: Run,
    hold: CreditHold | None,
    artifacts: list[ArtifactLink],
    form: RunForm | None = None,
    progress: Progress | None = None,
) -> RunView:
    """Show a run in full."""
    context = {name: value for name, value in run.context.items() if name != "max_credits"}
    ceiling = run.context.get("max_credits")
    shown = _summary(run)
    if progress is not None:
        shown["links"] = shown["links"] | {"table": f"/api/v1/runs/{run.id}/table"}
    return RunView(
        **shown,
        description=run.description,
        context=context,
        max_agents=run.max_agents,
        max_tokens=run.max_tokens,
        max_credits=None if ceiling is None else Decimal(str(ceiling)),
        tries=run.tries,
        paused_at=run.paused_at,
        resumed_at=run.resumed_at,
        updated_at=run.updated_at,
        duration_ms=_duration_ms(run),
        credits_quoted=ucr_to_credits(run.quoted_ucr),
        credits_reserved=reserved(run, hold),
        credits_used=pcr_to_credits(hold.metered_pcr if hold else 0),
        credits_charged=ucr_to_credits(hold.captured_ucr if hold else 0),
        credits_released=ucr_to_credits(hold.released_ucr if hold else 0),
        tool_policy=policy_of(run.tool_policy),
        quality=run.quality,
        last_error=run.last_error,
        table=vars(progress) if progress is not None else None,
        output_schema=form.output_schema if form is not None else None,
        output=form.output if form is not None else None,
        artifacts=artifacts,
    )


def retried(run: Run, hold: CreditHold) -> RetriedRun:
    """Show a run that is tried again."""
    return RetriedRun(
        id=run.id,
        status=RunStatus(run.status),
        attempt_number=run.attempt,
        credits_reserved=ucr_to_credits(hold.amount_ucr),
    )


def reserved(run: Run, hold: CreditHold | None) -> Decimal:
    """Return what is held for a run: before its start the quote, after its end nothing."""
    if run.status == RunStatus.CREATED:
        return ucr_to_credits(run.quoted_ucr)
    return ucr_to_credits(hold.amount_ucr if hold is not None and hold.state == "open" else 0)


def pcr_to_credits(amount_pcr: int) -> Decimal:
    """Convert pico-credits into credits, exactly, with at least two decimals."""
    value = (Decimal(amount_pcr) / (PCR_PER_UCR * UCR_PER_CREDIT)).normalize()
    exponent = value.as_tuple().exponent
    return value.quantize(Decimal("0.01")) if isinstance(exponent, int) and exponent > -2 else value


def _duration_ms(run: Run) -> int | None:
    if run.started_at is None:
        return None
    end = run.completed_at or run.updated_at
    return max(0, round((end - run.started_at).total_seconds() * 1000))


def artifact_link(artifact: Artifact, url: str) -> ArtifactLink:
    """Show an artifact within its run."""
    return ArtifactLink(id=artifact.id, name=artifact.name, mime_type=artifact.mime_type, s3_url=url)


def artifact_view(artifact: Artifact, url: str) -> ArtifactView:
    """Show an artifact."""
    base = f"/api/v1/artifacts/{artifact.id}"
    return ArtifactView(
        id=artifact.id,
        run_id=artifact.run_id,
        name=artifact.name,
        description=artifact.description,
        mime_type=artifact.mime_type,
        s3_url=url,
        file_size_bytes=artifact.size_bytes,
        sha256=artifact.content_sha256,
        created_at=artifact.created_at,
        expires_at=artifact.expires_at,
        links={"self": base, "download": f"{base}/download", "run": f"/api/v1/runs/{artifact.run_id}"},
    )

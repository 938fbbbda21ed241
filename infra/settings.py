"""Configuration of every process: environment variables, read once by a composition root.

Only composition roots (`worker.py`, `api/app.py`), migrations and tests build `Settings`; everybody else receives what
it needs. `docs/configuration.md` lists every variable, and a unit test compares the two.

Nothing here opens a connection.
"""

import json
import re
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from schema.policies import EMBEDDING_DIMENSIONS_MAX

Role = Literal["planner", "researcher", "writer"]
"""The parts a model plays; each can have a model of its own."""


def _env(*names: str) -> AliasChoices:
    """Name the variables a field is read from, next to its own name for keyword construction."""
    return AliasChoices(*names)


class Settings(BaseSettings):
    """Everything that a deployment may set. A field `x` is the variable `SWISSBRAIN_X` unless it names another."""

    model_config = SettingsConfigDict(
        env_prefix="SWISSBRAIN_",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
    )

    # PostgreSQL
    database_url: SecretStr = Field(
        default=SecretStr("postgresql://swissbrain_app@127.0.0.1:5432/swissbrain"),
        description="PostgreSQL as the application role, which row-level security binds. API and worker use it.",
    )
    database_owner_url: SecretStr | None = Field(
        default=None,
        description="PostgreSQL as the tables' owner, for migrations and operators; default: `database_url`.",
    )
    database_pool_size: int = Field(default=10, ge=1, description="Connections that a process keeps open.")
    database_pool_overflow: int = Field(default=10, ge=0, description="Connections beyond the pool under load.")
    database_pool_timeout_s: float = Field(default=10.0, gt=0, description="Longest wait for a connection of the pool.")
    database_statement_timeout_s: float = Field(
        default=30.0, ge=0, description="PostgreSQL ends a statement of the API or worker that runs longer; 0: never."
    )

    # Objects
    s3_endpoint_url: str = Field(
        default="http://127.0.0.1:9000", description="S3 endpoint as the processes reach it; `https://` turns TLS on."
    )
    s3_public_endpoint_url: str | None = Field(
        default=None,
        description="S3 endpoint as users reach it, for presigned links; default: `s3_endpoint_url`.",
    )
    s3_access_key: str = Field(default="", description="S3 access key id.")
    s3_secret_key: SecretStr = Field(default=SecretStr(""), description="S3 secret access key.")
    s3_bucket: str = Field(default="swissbrain", description="Bucket that holds everything; made at start if absent.")
    s3_region: str = Field(default="us-east-1", description="S3 region, part of every signature.")

    file_scan_command: str | None = Field(
        default=None,
        description="Virus scanner for files of runs: a command that is given the file's path and exits with 0 (clean) "
        "or 1 (infected), as `clamdscan --fdpass --no-summary` does. Without it files are not scanned.",
    )

    # Audit
    audit_bucket: str | None = Field(
        default=None,
        description="Bucket of the signed checkpoints and the archived months; default: `s3_bucket` + `-audit`. Made "
        "at start with object lock where the store has it.",
    )
    audit_signing_keys: SecretStr | None = Field(
        default=None,
        description="Ed25519 keys of the audit checkpoints: `id:base64,id2:base64`, 32 bytes each. The first signs, "
        "every one verifies. Without it no checkpoints are made, and a log that was cut or rewritten as a whole is not "
        "found.",
    )
    audit_verify_keys: str | None = Field(
        default=None,
        description="Public keys, in the same form, for a verifier that must not sign; beside those that follow from "
        "`audit_signing_keys`.",
    )
    audit_lock_days: int = Field(
        default=2_557,
        ge=0,
        description="Days for which the store refuses to delete or change a checkpoint or archive (object lock); 0: "
        "not locked. Seven years.",
    )
    audit_lock_mode: Literal["COMPLIANCE", "GOVERNANCE"] = Field(
        default="COMPLIANCE",
        description="Object lock's mode; GOVERNANCE lets accounts with a special right delete earlier.",
    )
    audit_checkpoint_minutes: float = Field(
        default=5.0, gt=0, description="Time between two signed checkpoints: what may be rewritten unseen at most."
    )

    # Redis
    redis_url: SecretStr = Field(
        default=SecretStr("redis://127.0.0.1:6379/0"),
        description="Redis for rate limits and wake-ups. Nothing is lost without it: readers fall back to polling.",
    )

    # Temporal
    temporal_address: str = Field(
        default="127.0.0.1:7233",
        validation_alias=_env("TEMPORAL_ADDRESS", "SWISSBRAIN_TEMPORAL_ADDRESS"),
        description="Temporal frontend, `host:port`.",
    )
    temporal_namespace: str = Field(
        default="default",
        validation_alias=_env("TEMPORAL_NAMESPACE", "SWISSBRAIN_TEMPORAL_NAMESPACE"),
        description="Temporal namespace.",
    )
    temporal_api_key: SecretStr | None = Field(
        default=None,
        validation_alias=_env("TEMPORAL_API_KEY", "SWISSBRAIN_TEMPORAL_API_KEY"),
        description="Temporal Cloud API key; turns TLS on. The other standard variables (`TEMPORAL_TLS*`, "
        "`TEMPORAL_GRPC_META_*`, `TEMPORAL_CONFIG_FILE`, `TEMPORAL_PROFILE`) are read by the SDK itself.",
    )
    temporal_ui_url: str | None = Field(default=None, description="Temporal Web UI, for links in answers and logs.")
    temporal_task_queue_prefix: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9_.-]{0,64}$",
        description="Put before every task queue's name, so that two deployments share a namespace.",
    )
    payload_keys: SecretStr | None = Field(
        default=None,
        description="Keys of the payload codec: `id:base64,id2:base64`, 32 bytes each. The first encodes, every one "
        "decodes: put a new key in front to rotate. Without it payloads are not encrypted.",
    )
    master_keys: SecretStr | None = Field(
        default=None,
        description="Keys that wrap the organisations' own keys, which seal connectors' tokens: same form. The first "
        "wraps; after a change `swissbrain keys master rewrap`. Without it no token can be stored.",
    )

    # API
    api_host: str = Field(default="127.0.0.1", description="Address that the API binds.")
    api_port: int = Field(default=8000, ge=1, le=65535, description="Port that the API binds.")
    api_public_url: str | None = Field(
        default=None, description="The API as its callers reach it, for links in answers; default: from the request."
    )
    temporal_ui_origin: str | None = Field(
        default=None, description="Origin that may call the codec endpoint (CORS); default: that of `temporal_ui_url`."
    )

    # Sign-in by an OpenID provider
    oidc_issuer: str | None = Field(
        default=None,
        description="OpenID provider that people may sign in by: its issuer, exactly as its discovery document names "
        "it. Register `API_PUBLIC_URL/api/v1/auth/oidc/callback` there.",
    )
    oidc_client_id: str | None = Field(default=None, description="The deployment's client id at that provider.")
    oidc_client_secret: SecretStr | None = Field(
        default=None, description="The client's secret; empty for a public client. PKCE is used either way."
    )
    oidc_scopes: str = Field(
        default="openid email profile", pattern=r"^openid( [!-~]+)*$", description="Scopes that are asked for."
    )

    # Limits
    requests_per_minute_key: int = Field(
        default=6_000, ge=0, description="Requests a minute of one API key or session; 0: no limit."
    )
    requests_per_minute_organisation: int = Field(
        default=12_000, ge=0, description="Requests a minute of one organisation, all its keys together; 0: no limit."
    )
    requests_per_minute_address: int = Field(
        default=60,
        ge=0,
        description="Requests a minute of one address to what answers without a key (sign-in, invitations); 0: no "
        "limit.",
    )
    streams_per_key: int = Field(
        default=20, ge=1, description="Log streams that a key or session may keep open, in each API process."
    )
    streams_per_organisation: int = Field(
        default=200, ge=1, description="Log streams that an organisation may keep open, in each API process."
    )

    # Models
    model: str | None = Field(
        default=None,
        description="litellm's name of the model. Empty: the extractive reasoner, which needs none.",
    )
    model_base_url: str | None = Field(default=None, description="Base URL of a self-hosted or proxied model.")
    model_api_key: SecretStr | None = Field(default=None, description="Key of the model's provider.")
    model_planner: str | None = Field(default=None, description="Model that decomposes and decides; default: `model`.")
    model_researcher: str | None = Field(default=None, description="Model of the agents; default: `model`.")
    model_writer: str | None = Field(default=None, description="Model that writes the report; default: `model`.")
    model_timeout_s: float = Field(default=120.0, gt=0, le=550, description="Longest wait for one answer of a model.")
    model_concurrency: int = Field(
        default=20, ge=1, le=200, description="Calls of a model at once, per worker; 1 for one that runs beside it."
    )
    model_prompt_characters: int = Field(
        default=16_000, ge=1_000, description="Characters of sources that one prompt shows; small models need fewer."
    )
    model_answer_form: Literal["json_schema", "json_object_of_schema", "json_object", "prompt"] = Field(
        default="json_schema",
        description="How the model's server is asked for JSON at first; where it refuses (400, 422), the looser forms "
        "follow. `json_object_of_schema`: a `schema` beside `json_object`, for servers that fail at `json_schema`.",
    )
    model_answer_tokens: int = Field(default=4_000, ge=200, description="Tokens that one answer may have.")

    # Audio and video
    speech_model: str = Field(
        default="whisper-base",
        description="What recognises speech: a name of `swissbrain model list`, a folder with a CTranslate2 model of "
        "Whisper, or, with the next setting, a name on the Hugging Face hub (docs/media.md).",
    )
    speech_hub_cache: bool = Field(
        default=False, description="Look for that model in the hub's cache on this machine too; nothing is fetched."
    )
    speech_language: str | None = Field(
        default=None,
        pattern="^[a-z]{2,3}$",
        description="Language of all recordings (ISO 639, as `de`); by default each tells its own at its beginning.",
    )
    speech_threads: int = Field(default=2, ge=1, le=64, description="Threads of one speech recognition.")

    # Images and scans
    ocr_engine: Literal["auto", "rapidocr", "easyocr", "none"] = Field(
        default="auto",
        description="What reads images and scanned pages: `rapidocr` (extra `ocr`), `easyocr` (extra `easyocr`), or "
        "`none`. `auto`: RapidOCR where it is installed. See docs/images.md.",
    )
    vision_model: str | None = Field(
        default=None,
        description="litellm's name of a model that is shown images and says what is on them. Empty: they are "
        "described by what code can measure, and never leave the deployment.",
    )
    vision_base_url: str | None = Field(
        default=None, description="Base URL of a self-hosted or proxied vision model; default: `model_base_url`."
    )
    vision_api_key: SecretStr | None = Field(
        default=None, description="Key of the vision model's provider; default: `model_api_key`."
    )

    # Exports
    image_model: str | None = Field(
        default=None,
        description="litellm's name of a model of images (`openai/gpt-image-1` ...), which draws the cover of decks "
        "that runs deliver. Empty: covers have none.",
    )
    image_base_url: str | None = Field(
        default=None, description="Base URL of a self-hosted or proxied model of images; default: `model_base_url`."
    )
    image_api_key: SecretStr | None = Field(
        default=None, description="Key of the provider of the model of images; default: `model_api_key`."
    )

    # Vectors
    embedding_model: str | None = Field(
        default=None,
        description="litellm's name of an embedding model. Empty: the local English model of the extra `vectors`, or, "
        "where that is not installed, search by full text alone; `none`: that too. After a change: "
        "`swissbrain corpus reindex`.",
    )
    embedding_base_url: str | None = Field(
        default=None, description="Base URL of a self-hosted or proxied embedding model."
    )
    embedding_api_key: SecretStr | None = Field(default=None, description="Key of the embedding model's provider.")
    embedding_dimensions: int = Field(
        default=1536, ge=1, le=EMBEDDING_DIMENSIONS_MAX, description="Length of that model's vectors."
    )

    # Outbound HTTP
    fetch_allowed_private_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Comma-separated `host:port` of services on loopback or private addresses that outbound HTTP may "
        "reach. Everything else private is refused. Addresses of sources (below) need not be named here.",
    )
    http_user_agent: str = Field(
        default="Swissbrain/1 (research agent)",
        pattern=r"^[A-Za-z][A-Za-z_-]*(/[!-~][ -~]*)?$",
        description="How outbound requests introduce themselves; what stands before the `/` is looked up in "
        "robots.txt. Add an address that can be written to: Wikipedia wants one.",
    )

    # Sources
    sources: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Comma-separated names of the providers that agents may search, in the order in which they are "
        "asked (see below); `all`: every one that has what it needs. Empty: nothing leaves the deployment but "
        "requests for pages that the user names.",
    )
    searxng_url: str | None = Field(default=None, description="Address of a SearXNG instance with its JSON format on.")
    brave_api_key: SecretStr | None = Field(default=None, description="Key of the Brave Search API.")
    brave_url: str | None = Field(default=None, description="Replaces `https://api.search.brave.com`.")
    tavily_api_key: SecretStr | None = Field(default=None, description="Key of Tavily.")
    tavily_url: str | None = Field(default=None, description="Replaces `https://api.tavily.com`.")
    marginalia_api_key: SecretStr | None = Field(default=None, description="Key of Marginalia Search.")
    marginalia_url: str | None = Field(default=None, description="Replaces `https://api2.marginalia-search.com`.")
    wikipedia_url: str | None = Field(
        default=None,
        description="`api.php` of a MediaWiki; `{language}` stands for the query's language. Replaces Wikipedia's.",
    )
    openalex_api_key: SecretStr | None = Field(
        default=None, description="Key of OpenAlex; without it a few searches a day are free."
    )
    openalex_url: str | None = Field(default=None, description="Replaces `https://api.openalex.org`.")
    semantic_scholar_api_key: SecretStr | None = Field(
        default=None, description="Key of Semantic Scholar; without it a rate is shared with everybody."
    )
    semantic_scholar_url: str | None = Field(default=None, description="Replaces `https://api.semanticscholar.org`.")
    arxiv_url: str | None = Field(default=None, description="Replaces `https://export.arxiv.org`.")
    crossref_url: str | None = Field(default=None, description="Replaces `https://api.crossref.org`.")
    newsapi_key: SecretStr | None = Field(default=None, description="Key of NewsAPI.org.")
    newsapi_url: str | None = Field(default=None, description="Replaces `https://newsapi.org`.")
    gdelt_url: str | None = Field(default=None, description="Replaces `https://api.gdeltproject.org`.")
    news_feeds: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Comma-separated addresses of RSS or Atom feeds that the provider `feeds` searches."
    )
    contact_email: str | None = Field(
        default=None, description="Told to Crossref and OpenAlex, which serve callers better that can be written to."
    )
    mcp_servers: SecretStr | None = Field(
        default=None,
        description="MCP servers whose tools agents may call, as JSON: see *MCP servers* below.",
    )

    # The sandbox
    sandbox_level_min: Literal["limits", "landlock", "bubblewrap", "gvisor"] = Field(
        default="landlock",
        description="Weakest level of sandbox in which files and pages are parsed; a worker that proves less when it "
        "starts parses nothing. `limits`, the only one that needs no Linux, shuts neither files nor network: for "
        "sources that you trust. Code runs in `landlock` or above, whatever stands here. See docs/sandbox.md.",
    )
    code_execution: bool = Field(
        default=False, description="Agents may run Python programs in the sandbox (`python.run`)."
    )

    # Logs
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="Least level logged.")
    log_format: Literal["json", "console"] = Field(default="json", description="One JSON object a line, or for people.")

    @field_validator("database_url", "database_owner_url", mode="after")
    @classmethod
    def _is_postgresql(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not re.match(r"^(postgres|postgresql|postgresql\+asyncpg)://", url.get_secret_value()):
            raise ValueError("must start with postgresql://")
        return url

    @field_validator(
        *("s3_endpoint_url", "s3_public_endpoint_url", "model_base_url", "api_public_url", "searxng_url", "brave_url"),
        *("tavily_url", "marginalia_url", "wikipedia_url", "openalex_url", "semantic_scholar_url", "arxiv_url"),
        *("crossref_url", "newsapi_url", "gdelt_url", "embedding_base_url", "vision_base_url", "image_base_url"),
        mode="after",
    )
    @classmethod
    def _is_http(cls, url: str | None) -> str | None:
        if url is not None and not re.match(r"^https?://[^/]+", url):
            raise ValueError("must start with http:// or https://")
        return url.rstrip("/") if url is not None else None

    @field_validator("fetch_allowed_private_hosts", "sources", "news_feeds", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if value.lstrip().startswith("["):
            return tuple(json.loads(value))
        return tuple(part.strip() for part in value.split(",") if part.strip())

    @field_validator("fetch_allowed_private_hosts", mode="after")
    @classmethod
    def _are_host_ports(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for entry in value:
            if not re.match(r"^(\[[0-9a-fA-F:.]+\]|[^\s:/\[\]]+):\d{1,5}$", entry):
                raise ValueError(f"{entry!r} is not host:port")
        return value

    @field_validator("news_feeds", mode="after")
    @classmethod
    def _are_http(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for url in value:
            if not re.match(r"^https?://[^/]+", url):
                raise ValueError(f"{url!r} must start with http:// or https://")
        return value

    @model_validator(mode="after")
    def _keys_parse(self) -> "Settings":
        from infra.codec import Keyring  # A wrong key should stop the process at its start, not at its first payload.

        for keys in (self.payload_keys, self.master_keys):
            if keys is not None:
                Keyring.parse(keys.get_secret_value())
        if self.audit_signing_keys is not None or self.audit_verify_keys is not None:
            from infra.checkpoints import Signer

            Signer.from_settings(self)
        return self

    @model_validator(mode="after")
    def _oidc_is_whole(self) -> "Settings":
        if self.oidc_issuer is not None:
            if not re.match(r"^https?://[^/?#\s]+[^?#\s]*$", self.oidc_issuer):
                raise ValueError("SWISSBRAIN_OIDC_ISSUER must be a URL without query or fragment")
            if self.oidc_client_id is None:
                raise ValueError("SWISSBRAIN_OIDC_ISSUER needs SWISSBRAIN_OIDC_CLIENT_ID beside it")
        return self

    @property
    def audit_bucket_name(self) -> str:
        """Return the bucket of checkpoints and archives."""
        return self.audit_bucket or f"{self.s3_bucket}-audit"

    @property
    def owner_url(self) -> str:
        """Return the URL that migrations use."""
        return (self.database_owner_url or self.database_url).get_secret_value()

    @property
    def s3_presign_url(self) -> str:
        """Return the endpoint that presigned links name."""
        return self.s3_public_endpoint_url or self.s3_endpoint_url

    def task_queue(self, name: str) -> str:
        """Return the task queue's full name: the deployment's prefix, then `name`."""
        return f"{self.temporal_task_queue_prefix}{name}"

    def model_for(self, role: Role) -> str | None:
        """Return the model that plays `role`, or None where no model is configured."""
        overrides: dict[Role, str | None] = {
            "planner": self.model_planner,
            "researcher": self.model_researcher,
            "writer": self.model_writer,
        }
        return overrides[role] or self.model


def variables() -> list[tuple[str, str, str]]:
    """Return (variable, default, description) of every field, in order: the rows of `docs/configuration.md`."""
    rows = []
    for name, field in Settings.model_fields.items():
        alias = field.validation_alias
        variable = str(alias.choices[0]) if isinstance(alias, AliasChoices) else f"SWISSBRAIN_{name.upper()}"
        default = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
        shown = "" if default in (None, "", ()) else str(default)
        rows.append((variable, shown, field.description or ""))
    return rows


def variables_table() -> str:
    """Return the Markdown table of `docs/configuration.md`."""
    lines = ["| variable | default | meaning |", "|---|---|---|"]
    lines += [
        f"| `{name}` | {f'`{default}`' if default else ''} | {meaning} |" for name, default, meaning in variables()
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    import sys

    sys.stdout.write(variables_table() + "\n")

"""Every limit of the product, named: queues, timeouts, retries, sizes, budgets.

Pure data. A number that bounds a queue, a loop, a payload, a retry or a history stands here and nowhere else.
"""

from datetime import timedelta
from enum import StrEnum


class TaskQueue(StrEnum):
    """Temporal task queues (design, section 7); a deployment may prefix them (`temporal_task_queue_prefix`)."""

    RUNS = "runs"
    AGENTS = "agents"
    TOOLS = "tools"
    TOOLS_CPU = "tools-cpu"
    BILLING = "billing"


PRIORITY_RUN = 1
PRIORITY_INGEST = 2
PRIORITY_SCHEDULED = 3
"""Temporal's priority keys, lowest first: what a user waits for, will need, and what only the clock asks for."""

# Requests.
TASK_LENGTH_MAX = 20_000
NAME_LENGTH_MAX = 255
DESCRIPTION_LENGTH_MAX = 4_000
CONTEXT_BYTES_MAX = 64 * 1024
REQUEST_BYTES_MAX = 1024 * 1024
UPLOAD_BYTES_MAX = 25 * 1024 * 1024
UPLOAD_FILES_MAX = 100
PAGE_SIZE_DEFAULT = 50
PAGE_SIZE_MAX = 200
IDEMPOTENCY_KEY_LENGTH_MAX = 255
IDEMPOTENCY_PROMISED = timedelta(hours=24)
IDEMPOTENCY_KEPT = timedelta(hours=48)

JSON_DEPTH_MAX = 64
"""Nested objects and arrays of a body."""

# People. Times of sessions as NIST SP 800-63B-4 has them for its second level: at most 24 h, and 1 h idle, are for
# the third party's risk to choose; a week and a day fit a tool that is kept open.
SESSION_IDLE_MAX = timedelta(hours=24)
SESSION_MAX = timedelta(days=7)
SESSION_KEPT = timedelta(days=30)
"""How long an ended session is still listed in the database."""
SESSION_SEEN_EVERY = timedelta(minutes=1)
PASSWORD_LENGTH_MIN = 12
PASSWORD_LENGTH_MAX = 256
PASSWORD_DISTINCT_MIN = 5
"""Different characters: what is one key pressed often is no password."""
SIGN_IN_FREE_FAILURES_OF_ACCOUNT = 5
SIGN_IN_FREE_FAILURES_OF_ADDRESS = 20
SIGN_IN_DELAY_MAX = timedelta(minutes=15)
SIGN_IN_FAILURES_FORGOTTEN = timedelta(hours=24)
INVITATION_DEFAULT = timedelta(days=7)
INVITATION_MAX = timedelta(days=30)

# Admission: what is refused with 429 before anything is held.
BACKLOG_AGE_MAX = timedelta(minutes=5)
"""A start is refused while the oldest task that a worker should have taken has waited longer than this."""
BACKLOG_ASKED_EVERY = timedelta(seconds=2)
ADMISSION_RETRY_AFTER = timedelta(seconds=30)

# A run.
AGENTS_DEFAULT = 10
AGENTS_MAX = 100
AGENTS_PARALLEL_MAX = 20
TOKENS_DEFAULT = 100_000
TOKENS_MIN = 1_000
TOKENS_MAX = 10_000_000
RUN_TRIES_DEFAULT = 3
"""Automatic tries of one attempt: the first and its automatic retries."""
RUN_RETRY_BASE = timedelta(seconds=1)
RUN_RETRY_CAP = timedelta(seconds=30)
CREATED_UNSTARTED_MAX = timedelta(hours=24)
PAUSED_MAX = timedelta(days=30)
HOLD_LIFETIME = timedelta(days=45)
"""Longer than the longest pause; past it the reconciler ends the run and releases the hold."""
UPDATE_ANSWER_WITHIN = timedelta(seconds=8)
"""How long an API call waits for a pause or a cancel to be complete before it answers 202."""

# An agent.
AGENTS_BUDGET_SHARE_PERCENT = 80
"""Share of a run's hold and tokens that its agents divide; the rest plans and writes the report."""
AGENT_STEPS_MAX = 8
AGENT_STEPS_PER_EXECUTION = 50
"""Steps after which an agent continues as new (about 600 history events)."""
AGENT_START_TRIES = 15
AGENT_START_AGAIN_AFTER = timedelta(seconds=2)
"""How often, and after what time, a start is tried again while an earlier agent of the same id still closes."""
AGENT_REPEATS_MAX = 2
"""An agent that asks for the same tool with the same arguments more often than this is stopped (loop detection)."""

# What an agent may do (docs/injection.md).
TOOL_ARGUMENTS_BYTES_MAX = 16 * 1024
"""The arguments of one tool call, as JSON."""
POLICY_TOOLS_MAX = 100
"""Names in one list of a tool policy."""
CANARIES_MAX = 50
CANARY_LENGTH_MIN = 12
"""A shorter text would be met by chance."""
CANARY_LENGTH_MAX = 200
EGRESS_CALLS_AFTER_PRIVATE_MAX = 12
"""Calls that leave the platform which an agent may make once it has read the organisation's own documents."""
EGRESS_TEXT_AFTER_PRIVATE_BYTES_MAX = 600
"""Text of the model's choosing in one such call; a search query has 200 characters at most."""
EGRESS_TEXT_AFTER_PRIVATE_BYTES_SUM = 3_000
"""The same, over all such calls of an agent."""
EGRESS_QUERY_AFTER_PRIVATE_BYTES_MAX = 512
"""The query string of an address that is fetched then, even of one that a source gave."""
EGRESS_NEW_WORDS_AFTER_PRIVATE_MAX = 8
"""Words of such a text that stand neither in the task nor in anything public."""
EGRESS_COPIED_WORDS_MAX = 2
"""Words in a row that such a text may share with private documents and with nothing else."""
SNAPSHOTS_LOOKED_THROUGH_MAX = 20
"""Pages that an agent read, looked through for an address that it wants to fetch."""
APPROVAL_EXPIRES = timedelta(days=7)
APPROVAL_EXPIRES_MAX = timedelta(days=30)
APPROVAL_HOLD_MARGIN = timedelta(days=1)
"""An approval expires this long before the hold of its attempt does."""
APPROVAL_NOTE_LENGTH_MAX = 1_000
APPROVALS_PENDING_MAX = 1_000
"""Calls of an organisation that wait for a person; beyond, a call that would wait is refused."""

# A table and structured output.
TABLE_ROWS_MAX = 1_000
TABLE_COLUMNS_MAX = 20
TABLE_ITEM_LENGTH_MAX = 200
TABLE_COLUMN_NAME_LENGTH_MAX = 80
TABLE_COLUMN_DESCRIPTION_LENGTH_MAX = 500
TABLE_UNIT_LENGTH_MAX = 40
TABLE_ALLOWED_MAX = 50
TABLE_ROW_STEPS_MAX = 6
"""Steps of a row's agent: up to three searches, one document, and the last look."""
TABLE_TOKENS_PER_ROW = 3_000
"""What a row adds to a run's tokens where the caller names no limit."""
LANE_ROWS_PER_EXECUTION = 40
"""Rows after which a lane continues as new (about 600 history events)."""
REPORT_TABLE_ROWS_MAX = 50
"""Rows of a table that the report shows; all of them are in `table.csv` and `table.json`."""
CELL_TEXT_LENGTH_MAX = 500
CELL_SOURCES_MAX = 3
"""Spans that a cell names for one value."""
CELL_CONFLICTS_MAX = 4
CELL_VALUES_MAX = 50
"""Values of a cell that holds a list."""
OUTPUT_SCHEMA_BYTES_MAX = 32 * 1024
OUTPUT_SCHEMA_DEPTH_MAX = 3
"""Nested objects and arrays below the root of a caller's JSON Schema."""
OUTPUT_FIELDS_MAX = 60

# The report.
OUTLINE_STEP = 100
"""Number of the step that outlines a deck; of a report that is made anew, one more. Beyond the report's own stages."""
REPORT_STAGES = ("merge", "resolve", "write", "render")
"""In order; each is an activity, a step row and an operation key."""

# Activities: (start to close, heartbeat). A heartbeat is how a cancel reaches a running activity.
HEARTBEAT = timedelta(seconds=3)
HEARTBEAT_EVERY = timedelta(milliseconds=700)
DATABASE_TIMEOUT = timedelta(seconds=5)
MODEL_TIMEOUT = timedelta(seconds=600)
TOOL_TIMEOUT_MAX = timedelta(seconds=120)
REPORT_TIMEOUT = timedelta(seconds=1800)
INGEST_TIMEOUT = timedelta(seconds=300)
INGEST_TRIES = 8
"""Tries to read one document; one that takes its worker with it, or never ends, is given up after them."""
RETRY_INITIAL = timedelta(milliseconds=200)
RETRY_CAP = timedelta(seconds=30)
RETRY_ATTEMPTS_MODEL = 6
RETRY_ATTEMPTS_TOOL = 3
"""Tries after which a failure that is not of our own making is given up; counted by the activities' boundary."""
RETRY_ATTEMPTS_LOST = 50
"""Tries of one activity in all, those included that a killed worker or an outage of our own took."""
STICKY_TIMEOUT = timedelta(seconds=1)
WORKFLOW_TASK_TIMEOUT = timedelta(seconds=5)

# Sizes that travel.
PAYLOAD_BYTES_MAX = 256 * 1024
"""An activity or workflow argument larger than this is refused before it is scheduled."""
STEP_OUTPUT_INLINE_BYTES_MAX = 32 * 1024
"""A step's output larger than this goes to the object store; the row keeps hash and size."""
FETCH_BYTES_MAX = 10 * 1024 * 1024
FETCH_REDIRECTS_MAX = 5
FETCH_TIMEOUT = timedelta(seconds=30)
FETCH_CONNECT_TIMEOUT = timedelta(seconds=5)
URL_LENGTH_MAX = 2_048
DOCUMENT_CHARACTERS_MAX = 5_000_000
PASSAGE_CHARACTERS = 900
PASSAGES_PER_SEARCH_MAX = 20

# Sources outside the corpus.
SEARCH_RESULTS_MAX = 20
SEARCH_PAGES_MAX = 5
SNIPPET_CHARACTERS_MAX = 500
ABSTRACT_CHARACTERS_MAX = 20_000
PROVIDER_BYTES_MAX = 5 * 1024 * 1024
PROVIDER_REQUESTS_PER_SEARCH_MAX = 3
"""Pages that one search asks one provider for."""
PROVIDER_DOWN = timedelta(seconds=30)
"""How long a provider that failed is left alone by every worker; a longer Retry-After counts."""
PROVIDER_REFUSED = timedelta(minutes=10)
"""The same for one that refused its key."""
PROVIDER_QUEUE = timedelta(seconds=45)
"""How long a search waits for its turn where every provider is asked as often as it allows."""
FEEDS_MAX = 50
FEED_ENTRIES_MAX = 200
FEED_KEPT = timedelta(minutes=5)
ROBOTS_BYTES_MAX = 500 * 1024
"""RFC 9309, 2.5: a crawler reads at least 500 KiB."""
ROBOTS_KEPT = timedelta(hours=1)
MCP_SERVERS_MAX = 20
MCP_TOOLS_MAX = 50
MCP_TEXT_CHARACTERS_MAX = 500_000
FETCHES_PER_SEARCH_MAX = 3
"""Results of one search that an agent without a model opens."""
FETCHES_PER_HOST_MAX = 2
FETCHES_IN_VAIN_MAX = 3
"""An agent without a model opens no more results once this many in a row brought nothing new."""
# Retrieval.
EXACT_SEARCH_PASSAGES_MAX = 20_000
"""Up to so many passages of an organisation are all compared with a query; beyond, an index finds the nearest."""
EMBEDDING_DIMENSIONS_MAX = 4_096
EMBEDDED_PER_ACTIVITY = 1_000
"""Passages that one activity embeds at most (about 1.5 MB of vectors); a longer document takes several."""
EMBEDDED_AT_INGESTION = 2_000
"""Passages that have their vectors when the document is ready (a minute of work); those beyond get them after."""
EMBED_TIMEOUT = timedelta(seconds=600)
QUERY_VECTOR_WITHIN = timedelta(seconds=40)
"""A query whose vector takes longer is looked up by full text alone."""
CONSIDERED_PER_SEARCH_MAX = 20
"""Hits of one search that were looked at and left out are recorded up to this many, best first."""
FINGERPRINT_CHARACTERS_MAX = 500_000
"""Of a longer text only its beginning is fingerprinted."""
SOURCE_CONTEXT_CHARACTERS = 300
"""Text shown on either side of a claim's span."""
DOMAIN_REPUTATIONS_MAX = 5_000
"""Domains that an organisation may set the trust of."""

# The sandbox.
SANDBOX_PROBE_WITHIN = timedelta(seconds=10)
"""A level that takes longer to prove does not count; an idle machine needs a fraction of a second."""
PARSE_WALL = timedelta(seconds=60)
PARSE_CPU_S = 30
PARSE_MEMORY_BYTES = 1024 * 1024 * 1024
PARSE_ANSWER_BYTES = 48 * 1024 * 1024
CODE_LENGTH_MAX = 50_000
CODE_WALL = timedelta(seconds=30)
CODE_CPU_S = 20
CODE_MEMORY_BYTES = 2 * 1024 * 1024 * 1024
CODE_OUTPUT_BYTES = 1024 * 1024
"""A program that writes more is killed."""
CODE_SHOWN_CHARACTERS = 10_000
"""Of what a program writes, so much of the beginning and the end together is shown; twice, for output and errors."""
CODE_FILE_BYTES = 8 * 1024 * 1024
CODE_FOLDER_BYTES = 64 * 1024 * 1024
CODE_FOLDER_ENTRIES = 1_000
CODE_KEPT_FILES = 8
CODE_KEPT_BYTES = 8 * 1024 * 1024
CODE_INPUT_FILES = 8
CODE_INPUT_BYTES = 32 * 1024 * 1024
"""All artifacts that a program is given together."""
CODE_AT_ONCE = 4
"""Programs of one worker that run at the same time; the others wait for their turn within their time."""

# Data files and what is found in them (docs/data.md).
DATA_BYTES_MAX = 100 * 1024 * 1024
"""Largest file (specification 6.1)."""
DATA_ROWS_MAX = 1_000_000
DATA_COLUMNS_MAX = 512
DATA_CELLS_MAX = 40_000_000
"""Rows times columns of one table."""
DATA_CELL_CHARACTERS_MAX = 1_000_000
DATA_LINE_BYTES_MAX = 4 * 1024 * 1024
DATA_VALUES_BYTES_MAX = 512 * 1024 * 1024
"""All texts of one table, unpacked."""
DATA_TABLES_MAX = 20
"""Sheets of a workbook, or files that are related with each other."""
DATA_JSON_DEPTH_MAX = 64
DATA_JSON_DIGITS_MAX = 400
DATA_PARQUET_FOOTER_BYTES_MAX = 4 * 1024 * 1024
DATA_ROW_GROUPS_MAX = 10_000
DATA_EXAMPLES_MAX = 20
"""Top values, figures, spellings, examples of one thing."""
DATA_ROWS_SHOWN_MAX = 50
DATA_CORRELATIONS_MAX = 200
DATA_CORRELATED_COLUMNS_MAX = 40
"""Numeric columns that are compared pair by pair: the first ones."""
DATA_FINDINGS_MAX = 300
DATA_CHARTS_MAX = 8
"""Of one table."""
DATA_CHARTS_FILE_MAX = 16
DATA_CHART_POINTS_MAX = 1_000
DATA_INSIGHTS_MAX = 40
DATA_RELATIONS_MAX = 200
DATA_TEXT_LENGTH_MAX = 2_000
DATA_NAME_LENGTH_MAX = 200
"""Characters of a column's name; a longer one is cut."""
DATA_ANSWER_ROWS_MAX = 200
DATA_QUESTION_LENGTH_MAX = 1_000
DATA_QUERY_LENGTH_MAX = 10_000
DATA_WALL = timedelta(seconds=120)
DATA_CPU_S = 150
DATA_MEMORY_BYTES = 3 * 1024 * 1024 * 1024
"""Address space of the process that analyses; what it really uses stays under half of it."""
DATA_ASK_WALL = timedelta(seconds=60)
DATA_ANSWER_BYTES = 24 * 1024 * 1024
DATA_RENDER_WALL = timedelta(seconds=60)
DATA_RENDER_CPU_S = 60
DATA_RENDER_MEMORY_BYTES = 160 * 1024 * 1024 * 1024
"""Address space that the chart renderer's JavaScript engine reserves (68 GB of it untouched); its heap is bounded."""
DATA_CHART_BYTES_MAX = 4 * 1024 * 1024
# Audio and video.
MEDIA_BYTES_MAX = 2 * 1024 * 1024 * 1024
MEDIA_DURATION_MAX = timedelta(hours=6)
MEDIA_STREAMS_MAX = 16
MEDIA_CHANNELS_MAX = 8
MEDIA_SAMPLE_RATES_HZ = (4_000, 384_000)
MEDIA_FRAME_PIXELS_MAX = 4_096 * 2_304
MEDIA_BIT_RATE_MIN = 100
"""Bits per second below which a file does not hold what it says it lasts."""
MEDIA_PROBE_WALL = timedelta(seconds=60)
"""For what the headers say; reading all packets gets a second more for each `MEDIA_BYTES_PER_S`."""
MEDIA_BYTES_PER_S = 20 * 1024 * 1024
MEDIA_PORTION = timedelta(minutes=5)
MEDIA_OVERLAP = timedelta(seconds=10)
"""What two portions share: a word at the border of one lies well within the other."""
MEDIA_READ_WALL = timedelta(minutes=2)
"""For one step of reading a portion, and `MEDIA_READ_SLOWEST` seconds more for each second of it."""
MEDIA_READ_SLOWEST = 6
MEDIA_DECODE_MEMORY_BYTES = 2 * 1024 * 1024 * 1024
MEDIA_HEAR_MEMORY_BYTES = 6 * 1024 * 1024 * 1024
"""Address space, of which the base model touches half a gigabyte; larger models need more."""
MEDIA_ANSWER_BYTES = 16 * 1024 * 1024
KEYFRAME_EVERY = timedelta(seconds=5)
KEYFRAME_EDGE_MAX = 1_280
"""Pixels of a keyframe's longer side."""
KEYFRAME_BYTES_MAX = 1024 * 1024
KEYFRAMES_OF_PORTION_MAX = 240
KEYFRAMES_READ_OF_PORTION_MAX = 40
"""Of which the writing is read; scene changes come first."""
KEYFRAMES_READ_AT_ONCE = 8
KEYFRAME_TEXT_CHARACTERS_MAX = 4_000
KEYFRAMES_MAX = 1_500
"""Of a whole recording; where there are more, those that differ least from their neighbours are left out."""
SUBTITLE_LINE_CHARACTERS = 42
"""And two lines at a time: what subtitling guides ask for (BBC, Netflix: 37 to 42)."""
SPEECH_CHARACTERS_MAX = 20_000
"""Of a text to be spoken: some twenty minutes."""

# Streams.
STREAM_PING = timedelta(seconds=15)
STREAM_POLL = timedelta(seconds=1)
STREAM_BATCH = 500
PRESIGNED_FOR = timedelta(minutes=15)

# Reconciler.
RECONCILE_EVERY = timedelta(minutes=1)
RECONCILE_GRACE = timedelta(seconds=30)
RECONCILE_MISSING_GRACE = timedelta(minutes=15)
"""How long a running run may be unknown to Temporal before it is closed: a wrong namespace must not end every run."""
RECONCILE_BATCH = 500

# The audit log.
AUDIT_MONTHS_AHEAD = 12
"""Partitions that are made before they are needed."""
AUDIT_MAINTAIN_EVERY = timedelta(days=1)
AUDIT_CHECKPOINT_TIMEOUT = timedelta(minutes=10)
AUDIT_MAINTAIN_TIMEOUT = timedelta(hours=6)
AUDIT_WRITERS_MAX = 4
"""Transactions with which an API process writes its requests' entries at once; those of one organisation queue up."""
AUDIT_BATCH_MAX = 200

# Images and scans, and what is read of them (docs/images.md).
IMAGE_PIXELS_MAX = 50_000_000
"""Of one picture or page, before it is decoded."""
IMAGE_SIDE_PX_MAX = 30_000
IMAGE_PAGES_MAX = 500
"""Of one file, to be recognised."""
IMAGE_READ_SIDE_PX = 4_000
"""A larger picture is scaled down to this before it is read: A4 at 340 dpi."""
IMAGE_PREVIEW_SIDE_PX = 1_600
IMAGE_PREVIEW_BYTES_MAX = 16 * 1024 * 1024
CORPUS_RECOGNISED_PAGES_MAX = 16
"""Of a document of the corpus, which is read in one piece; a file of runs has portions."""
IMAGE_PORTION_PAGES = 8
"""Pages that are read in one portion: what a killed worker has to do again at most."""
IMAGE_DPI = 220
"""At which a scanned page of a PDF is drawn."""
IMAGE_PAGE_TEXT_MIN = 24
"""Letters and digits below which a page of a PDF that shows a picture has no usable text."""
IMAGE_CONFIDENCE_MIN = 0.5
IMAGE_LINES_MAX = 2_000
"""Of one page."""
IMAGE_LINE_LENGTH_MAX = 1_000
IMAGE_REGIONS_MAX = 500
IMAGE_TABLES_MAX = 20
IMAGE_TABLE_ROWS_MAX = 500
IMAGE_TABLE_COLUMNS_MAX = 50
IMAGE_COLOURS_MAX = 5
IMAGE_CAPTION_LENGTH_MAX = 2_000
IMAGE_CAPTION_TOKENS = 400
IMAGE_INSPECT_WALL = timedelta(seconds=60)
IMAGE_WALL = timedelta(minutes=20)
"""Of one portion."""
IMAGE_PAGE_CPU_S = 120
IMAGE_MEMORY_BYTES = 3 * 1024 * 1024 * 1024
"""Address space; what is touched of it stays below half."""
IMAGE_MEMORY_TORCH_BYTES = 10 * 1024 * 1024 * 1024
"""Address space of EasyOCR: torch maps libraries of gigabytes that it never touches."""
IMAGE_ANSWER_BYTES = 96 * 1024 * 1024
"""Eight previews that do not pack at all have 62 MB."""
AUDIT_WITHIN = timedelta(seconds=5)
"""How long an answer waits for its audit entry before the caller gets 503 in its place."""
AUDIT_STRANGERS_EVERY = timedelta(seconds=1)
AUDIT_STRANGERS_MAX = 100
"""Addresses of unknown callers that are written apart each time; what is beyond is counted together."""
# Files that users give to runs.
FILE_DIRECT_BYTES_MAX = 100 * 1024 * 1024
"""Largest file of one request; a larger one is uploaded in parts, straight to the object store."""
FILE_IMAGE_BYTES_MAX = 50 * 1024 * 1024
FILE_PART_BYTES = 16 * 1024 * 1024
"""Of an upload in parts; S3 takes no part below 5 MiB but the last."""
FILES_PER_RUN_MAX = 20
FILES_RELATED_MAX = 10
"""Files whose relations are looked for together."""
FILES_BYTES_PER_ORGANISATION_MAX = 100 * 1024 * 1024 * 1024
FILES_PER_ORGANISATION_MAX = 10_000
FILES_KEPT = timedelta(days=30)
FILE_UPLOAD_WITHIN = timedelta(hours=24)
"""An upload in parts that is not complete by then is given up; nothing was charged."""
FILE_LINKS_FOR = timedelta(hours=1)
FILE_INSPECT_TIMEOUT = timedelta(minutes=15)
FILE_READ_TIMEOUT = timedelta(minutes=60)
"""Of one portion; it heartbeats."""
FILE_FINISH_TIMEOUT = timedelta(minutes=15)
FILE_TRIES = 6
"""Tries of one portion; a file that takes its worker with it, or never ends, is given up after them."""
FILE_PORTIONS_MAX = 500
FILE_OUTPUTS_MAX = 2_000
FILE_SCAN_WITHIN = timedelta(minutes=10)
FILE_QUESTION_TIMEOUT = timedelta(minutes=2)
FILE_QUESTIONS_WITHIN = timedelta(seconds=20)
"""How long a question about a file waits for its answer; later it is read by its id."""
FILE_COPIES_BYTES_MAX = 8 * 1024 * 1024 * 1024
"""Files that a worker keeps on its disk between the portions of them."""

# Retention (specification 1.5); an organisation may change the first three (`retention_policies`).
ARTIFACTS_KEPT_DAYS = 30
RUNS_KEPT_DAYS = 90
ARCHIVES_KEPT_DAYS = 365
LEDGER_KEPT_DAYS_MIN = 2_557
"""Seven years: ledger, usage and audit log. Nothing of the product deletes them at all."""
DELETED_DOCUMENT_KEPT = timedelta(days=7)
DATA_EXPORT_KEPT = timedelta(days=7)
DATA_EXPORT_FILES_BYTES_MAX = 256 * 1024 * 1024
"""Files that one export carries; of those beyond, its manifest names size and SHA-256."""
RETENTION_EVERY = timedelta(hours=1)
RETENTION_BATCH = 100
"""Runs, archives, documents or objects that one pass of an activity deals with."""
RETENTION_PASSES_MAX = 50
RETENTION_TIMEOUT = timedelta(minutes=10)
REQUEST_RESTARTED_AFTER = timedelta(minutes=5)
"""An erasure or export without an end this long after it was asked for is started again, which is harmless."""
ERASURE_CANCEL_POLL = timedelta(seconds=2)
ERASURE_CANCEL_WITHIN = timedelta(hours=1)
"""How long an erasure waits for the person's live runs to end; longer, and it fails and says so."""

SLIDES_DEFAULT = 20
SLIDES_MIN = 5
SLIDES_MAX = 60
"""Slides of a deck; below the smallest there is no room for title, findings and sources."""
EXPORT_TIMEOUT = timedelta(minutes=5)
"""One try at building an export."""
EXPORT_TRIES = 3
EXPORT_WALL = timedelta(seconds=180)
EXPORT_CPU_S = 240
EXPORT_MEMORY_BYTES = 3 * 1024**3
EXPORT_FOLDER_BYTES = 256 * 1024**2
EXPORT_BYTES_MAX = 256 * 1024**2
"""Limits of the process that builds one, and of its file."""
EXPORT_FIGURES_MAX = 24
EXPORT_LOG_LINES_MAX = 20_000
"""Of a run's log in an export, the latest; the sequence numbers show what is left out."""
EXPORT_GRACE = timedelta(minutes=2)
"""An export that is older and unfinished may have lost its workflow: the reconciler starts it again."""
THEME_LOGO_BYTES_MAX = 2 * 1024**2
UPLOADS_KEPT_DAYS = 7
"""Parts of an upload that nobody completed, in the bucket's lifecycle rules."""
ORPHANS_EVERY = timedelta(days=1)
ORPHAN_AFTER = timedelta(days=1)
"""An object that no row points to for so long is a leftover of work that died, not of work that is under way."""
ORPHANS_PAGE = 1_000
ORPHANS_TIMEOUT = timedelta(hours=6)
ORPHAN_FOLDERS = ("artifacts", "archives", "exports", "theme")
"""Kinds of objects of which each is to have a row of its own."""
ILLUSTRATION_BYTES_MAX = 8 * 1024**2
ILLUSTRATION_PROMPT_CHARACTERS = 600
"""Of the task, in what a model of images is asked."""
ILLUSTRATE_STEP = 150
"""Number of the step that has a deck's cover drawn; of a report that is made anew, one more."""

"""Nothing else in the product opens a connection to an address that somebody else chose.

An import of a library that can is a decision, and is listed here with its reason. What must not be imported at all is
not listed. `infra/http.py` is the one client for addresses of others.
"""

import ast
import asyncio
from pathlib import Path

import pytest

from activities.documents.feed import parse_feed

ROOT = Path(__file__).parents[3]
PRODUCT = ("activities", "api", "client", "infra", "schema", "workflows", "worker.py")

NETWORKING = {
    *("httpx", "httpx2", "httpcore", "requests", "urllib3", "aiohttp", "socket", "socketserver", "ssl", "websockets"),
    *("urllib.request", "http.client", "http.server", "ftplib", "smtplib", "imaplib", "poplib", "telnetlib", "xmlrpc"),
    *(
        "feedparser",
        "litellm",
        "openai",
        "anthropic",
        "mcp",
        "minio",
        "redis",
        "asyncpg",
        "psycopg",
        "paramiko",
        "boto3",
    ),
    *("authlib", "uvicorn", "huggingface_hub", "pycurl", "dns", "aiosmtplib", "botocore", "playwright", "selenium"),
}
"""Modules that open connections, or name an address to something that does."""

MAY: dict[str, dict[str, str]] = {
    "infra/http.py": {
        "httpcore": "the one client: connects to the address that it checked",
        "httpx": "only for its certificate store",
        "socket": "getaddrinfo and its errors",
        "ssl": "certificates",
    },
    "infra/objects.py": {"urllib3": "S3: the operator's endpoint", "minio": "S3: the operator's endpoint"},
    "infra/uploads.py": {"minio": "S3: the operator's endpoint"},
    "infra/locked.py": {"minio": "S3: the operator's endpoint"},
    "infra/embedded/backup.py": {"asyncpg": "PostgreSQL, which it started itself"},
    "infra/embedded/restore.py": {"asyncpg": "PostgreSQL, which it started itself"},
    "infra/live.py": {"redis": "Redis: the operator's address"},
    "infra/shared.py": {"redis": "Redis: the operator's address"},
    "infra/request_limits.py": {"redis": "Redis: the operator's address"},
    "infra/database.py": {"asyncpg": "PostgreSQL: the operator's address"},
    "infra/embedded/servers.py": {"asyncpg": "PostgreSQL, which it started itself"},
    "infra/embedded/supervisor.py": {"asyncpg": "its errors", "http.client": "the probe of the API, which it started"},
    "infra/embedded/layout.py": {"socket": "finds free ports on loopback"},
    "infra/healthcheck.py": {"http.client": "its own container, on loopback", "socket": "the host's own name"},
    "infra/health.py": {"socket": "the host's own name"},
    "infra/local_model/part.py": {"httpx": "the probe of the local model, which it started"},
    "infra/sandbox/escapes.py": {"socket": "attacks that the sandbox must refuse, inside it"},
    "infra/sandbox/probe.py": {"socket": "listens on loopback for a sandbox that leaks"},
    "activities/research/vendor.py": {"litellm": "models: the operator's address", "httpx": "its exceptions"},
    "activities/documents/feed.py": {"feedparser": "given a stream of bytes, never an address or a path"},
    "activities/sources/mcp.py": {
        "mcp": "MCP servers: the operator's addresses, without redirects",
        "httpx2": "the transport of the MCP client: no redirects, no proxies of the environment",
    },
    "client/transport.py": {"httpx": "the caller's own client, on the caller's machine"},
    "client/files.py": {"httpx": "parts of a file, to a link of the caller's own object store"},
    "client/client.py": {"httpx": "the caller's own client, on the caller's machine"},
    "client/demo.py": {"socket": "finds a free port on loopback"},
}
"""File -> module -> why it may be imported there."""

OPENERS = {
    *("create_connection", "open_connection", "create_server", "start_server", "create_datagram_endpoint"),
    *("urlopen", "urlretrieve", "sock_connect", "open_unix_connection", "start_unix_server"),
}
"""Calls that open or accept connections, whatever they are called on."""


def files() -> list[tuple[str, ast.Module]]:
    found = []
    for part in PRODUCT:
        path = ROOT / part
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            found.append((file.relative_to(ROOT).as_posix(), ast.parse(file.read_text(encoding="utf-8"))))
    return found


FILES = files()


def imports(tree: ast.Module) -> set[str]:
    """Return the modules of NETWORKING that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in (
            "import_module", "__import__"
        ):  # fmt: skip
            names |= {
                each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, str)
            }
    return {known for known in NETWORKING for name in names if name == known or name.startswith(f"{known}.")}


def opened(tree: ast.Module) -> set[str]:
    """Return the calls of OPENERS."""
    calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return {name for func in calls if (name := getattr(func, "attr", getattr(func, "id", ""))) in OPENERS}


def test_who_may_connect() -> None:
    found = {name: imports(tree) for name, tree in FILES if imports(tree)}
    assert found == {name: set(reasons) for name, reasons in MAY.items()}


def test_who_may_open_sockets() -> None:
    found = {name: opened(tree) for name, tree in FILES if opened(tree)}
    assert found == MAY_OPEN


MAY_OPEN = {"infra/sandbox/escapes.py": {"create_server"}, "infra/sandbox/probe.py": {"create_server"}}
"""File -> calls: listeners that tell whether a sandbox leaks."""


@pytest.mark.parametrize(
    "code",
    [
        "import requests",
        "from urllib.request import urlopen",
        "from urllib import request",
        "def f():\n import httpx",
        "import importlib\nimportlib.import_module('aiohttp')",
        "from http import client",
    ],
)
def test_an_import_is_seen(code: str) -> None:
    assert imports(ast.parse(code))


@pytest.mark.parametrize("code", ["asyncio.open_connection('h', 1)", "loop.create_connection(x)", "urlopen(u)"])
def test_an_opening_is_seen(code: str) -> None:
    assert opened(ast.parse(code))


def test_the_one_client_is_made_in_few_places() -> None:
    """Who makes it decides which private hosts are open: composition roots only."""
    makers = {
        name
        for name, tree in FILES
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "SafeHttpClient"
    }
    assert makers <= {"worker.py", "activities/sources/catalogue.py", "infra/oidc.py", "api/app.py"}, makers


async def test_a_feed_that_names_a_file_is_not_opened(tmp_path: Path) -> None:
    """`feedparser.parse` opens bytes that are a path; what a server answers is no path of ours."""
    secret = tmp_path / "secret.xml"
    secret.write_text('<rss version="2.0"><channel><title>t</title><item><title>secret</title></item></channel></rss>')
    for data in (str(secret).encode(), f"file://{secret}".encode(), b"/dev/zero", b"http://127.0.0.1:1/feed"):
        feed = await asyncio.wait_for(asyncio.to_thread(parse_feed, data), 5)
        assert (feed.entries, feed.version) == ([], "")
    assert [entry.title for entry in parse_feed(secret.read_bytes()).entries] == ["secret"]


def test_what_models_are_reached_at_is_the_operators() -> None:
    """`api_base` of litellm comes from a parameter that only the configuration fills."""
    for name, tree in FILES:
        for node in ast.walk(tree):
            if isinstance(node, ast.keyword) and node.arg == "api_base":
                assert name == "activities/research/vendor.py"
                assert isinstance(node.value, ast.Name)
                assert node.value.id == "base_url"
            if isinstance(node, ast.keyword) and node.arg == "base_url" and name.startswith(("activities/", "worker")):
                said = ast.unparse(node.value)
                # `None` is WeasyPrint's: a document without an address, whose relative links lead nowhere.
                known = "_config.base_url" in said or said.startswith("settings.") or said == "None"
                assert known, (name, said)

"""Search providers and the pages they point to, on real loopback sockets: their documented formats, pages and errors.

`async with ProviderServers(works) as servers`: every provider answers under a path of its own, from the same works;
the pages stand on several loopback addresses, as different sites do. `fail(provider, kind)` makes coming requests fail.
Nothing here is used by the product.
"""

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from html import escape
from typing import Any
from urllib.parse import unquote

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from activities.research.text import STOP_WORDS, stem, words

HOSTS = ("127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4")
KEY = "the-right-key"
HANG_S = 3600.0
KEYED = {
    "brave": "x-subscription-token",
    "tavily": "authorization",
    "marginalia": "api-key",
    "newsapi": "x-api-key",
    "semantic_scholar": "x-api-key",
}
NAMES = (
    *("searxng", "brave", "tavily", "marginalia", "wikipedia", "openalex", "semantic_scholar", "arxiv", "crossref"),
    *("feeds", "newsapi", "gdelt"),
)


@dataclass(frozen=True)
class Work:
    """Something that can be found: a page, a paper or an article."""

    title: str
    text: str
    kinds: frozenset[str]
    """`web`, `academic`, `news`."""
    day: date = date(2026, 5, 4)
    authors: tuple[str, ...] = ("Ada Example",)
    host: int = 0
    robots: str = ""
    """Lines of robots.txt that its host gets."""

    @property
    def slug(self) -> str:
        """Return its path."""
        return "-".join(words(self.title))[:80] or str(abs(hash(self.title)))

    @property
    def doi(self) -> str:
        """Return its identifier."""
        return f"10.5555/{self.slug}"


@dataclass
class Fault:
    """How a provider fails: rate_limited, server_error, hang, broken_json, html, empty, unauthorized, odd_form."""

    kind: str
    times: int | None = None


@dataclass
class Script:
    """The servers' memory."""

    works: list[Work]
    port: int = 0
    faults: dict[str, Fault] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """(provider or `page`, parameters; for pages `path` and `host`)."""

    def url(self, work: Work) -> str:
        """Return where a work stands."""
        return f"http://{HOSTS[work.host % len(HOSTS)]}:{self.port}/pages/{work.slug}"

    def matching(self, kind: str, query: str) -> list[Work]:
        """Return the works of a kind that hold most of a query's words first; none that holds no word."""
        wanted = {stem(word) for word in words(query) if word not in STOP_WORDS}

        def held(work: Work) -> int:
            found = {stem(word) for word in words(f"{work.title} {work.text}")}
            # Scripts without spaces: any three characters of the query.
            runs = {query[at : at + 3] for at in range(len(query) - 2)} if not query.isascii() else set()
            return len(wanted & found) + sum(1 for run in runs if run in work.title + work.text)

        ranked = sorted((work for work in self.works if kind in work.kinds), key=lambda work: (-held(work), work.title))
        return [work for work in ranked if held(work)]


def snippet(work: Work) -> str:
    """Return what a result shows of a work."""
    return work.text[:160]


Answer = Callable[[Script, dict[str, str]], Response]


def _slice(found: list[Any], offset: int, count: int) -> list[Any]:
    return found[max(0, offset) : max(0, offset) + count]


def searxng(script: Script, given: dict[str, str]) -> Response:
    """Fixed pages of five; 403 where the format is not on."""
    if given.get("format") != "json":
        return HTMLResponse("<h1>403</h1>", 403)
    found = _slice(script.matching("web", given["q"]), (int(given.get("pageno", 1)) - 1) * 5, 5)
    results = [
        {
            "url": script.url(work),
            "title": work.title,
            "content": snippet(work),
            "engine": "test",
            "engines": ["test"],
            "score": 1.0,
            "category": "general",
            "publishedDate": f"{work.day}T00:00:00",
        }
        for work in found
    ]
    return JSONResponse(
        {"query": given["q"], "number_of_results": 0, "results": results, "answers": [], "unresponsive_engines": []}
    )


def brave(script: Script, given: dict[str, str]) -> Response:
    """`offset` counts pages; more than 20 results, more than 400 characters or no language it knows: 422."""
    count, offset = int(given.get("count", 20)), int(given.get("offset", 0))
    if count > 20 or offset > 9 or len(given["q"]) > 400 or given.get("search_lang") not in ("en", "jp", "ar", "de"):
        return JSONResponse({"type": "ErrorResponse", "error": {"code": "VALIDATION", "status": 422}}, 422)
    found = _slice(script.matching("web", given["q"]), offset * count, count)
    results = [
        {
            "type": "search_result",
            "title": f"<strong>{escape(work.title)}</strong>",
            "url": script.url(work),
            "description": escape(snippet(work)),
            "page_age": f"{work.day}T12:00:00",
            "age": work.day.strftime("%B %d, %Y"),
        }
        for work in found
    ]
    body: dict[str, Any] = {"type": "search", "query": {"original": given["q"]}}
    if results:
        body["web"] = {"type": "search", "results": results}
    limits = {"X-RateLimit-Limit": "1, 15000", "X-RateLimit-Remaining": "0, 9000", "X-RateLimit-Reset": "1, 1419704"}
    return JSONResponse(body, headers=limits)


def tavily(script: Script, given: dict[str, str]) -> Response:
    """POST only; no pages."""
    found = script.matching("web", given["query"])[: int(given.get("max_results", 5))]
    results = [
        {"title": work.title, "url": script.url(work), "content": snippet(work), "score": 0.9, "raw_content": None}
        for work in found
    ]
    return JSONResponse(
        {"query": given["query"], "answer": None, "images": [], "results": results, "response_time": 0.1}
    )


def marginalia(script: Script, given: dict[str, str]) -> Response:
    """Pages count from 1."""
    count = int(given.get("count", 20))
    found = _slice(script.matching("web", given["query"]), (int(given.get("page", 1)) - 1) * count, count)
    results = [
        {"url": script.url(work), "title": work.title, "description": snippet(work), "quality": 1.0} for work in found
    ]
    return JSONResponse({"license": "CC-BY-NC-SA 4.0", "query": given["query"], "results": results})


def wikipedia(script: Script, given: dict[str, str]) -> Response:
    """Errors have status 200."""
    if given.get("list") != "search":
        return JSONResponse({"error": {"code": "badvalue", "info": "Unrecognized value"}})
    found = _slice(script.matching("web", given["srsearch"]), int(given.get("sroffset", 0)), int(given["srlimit"]))
    results = [
        {
            "ns": 0,
            "title": work.title,
            "pageid": number,
            "snippet": f'<span class="searchmatch">{escape(snippet(work))}</span>',
            "timestamp": f"{work.day}T08:00:00Z",
        }
        for number, work in enumerate(found, 1)
    ]
    return JSONResponse({"batchcomplete": True, "query": {"searchinfo": {"totalhits": 9}, "search": results}})


def openalex(script: Script, given: dict[str, str]) -> Response:
    """A cursor without a key is 401; an unknown field 400."""
    if "cursor" in given and given.get("api_key") != KEY:
        return JSONResponse({"error": "Unauthorized", "message": "cursor paging needs a key"}, 401)
    per_page = int(given.get("per_page", 25))
    found = _slice(script.matching("academic", given["search"]), (int(given.get("page", 1)) - 1) * per_page, per_page)
    results = []
    for work in found:
        index: dict[str, list[int]] = {}
        for position, word in enumerate(work.text.split()):
            index.setdefault(word, []).append(position)
        results.append(
            {
                "id": f"https://openalex.org/W{work.slug}",
                "doi": f"https://doi.org/{work.doi}",
                "display_name": work.title,
                "publication_date": str(work.day),
                "authorships": [{"author": {"display_name": name}} for name in work.authors],
                "abstract_inverted_index": index,
                "primary_location": {"landing_page_url": script.url(work)},
                "best_oa_location": {"pdf_url": None, "landing_page_url": script.url(work)},
            }
        )
    return JSONResponse({"meta": {"count": len(results), "page": 1, "per_page": per_page}, "results": results})


def semantic_scholar(script: Script, given: dict[str, str]) -> Response:
    """Nothing found: no `data` at all."""
    offset, limit = int(given.get("offset", 0)), int(given.get("limit", 100))
    if offset + limit >= 1_000:
        return JSONResponse({"error": "Requested data for this limit and/or offset is not available"}, 400)
    found = _slice(script.matching("academic", given["query"]), offset, limit)
    if not found:
        return JSONResponse({"total": 0, "offset": offset})
    data = [
        {
            "paperId": work.slug,
            "title": work.title,
            "abstract": work.text,
            "url": f"https://www.semanticscholar.org/paper/{work.slug}",
            "externalIds": {"DOI": work.doi},
            "publicationDate": None,
            "year": work.day.year,
            "authors": [{"authorId": "1", "name": name} for name in work.authors],
            "openAccessPdf": None,
        }
        for work in found
    ]
    return JSONResponse({"total": len(data), "offset": offset, "next": offset + len(data), "data": data})


def arxiv(script: Script, given: dict[str, str]) -> Response:
    """Atom; an error is an entry."""
    start, count = int(given.get("start", 0)), int(given.get("max_results", 10))
    expression = given["search_query"]
    if "all:" not in expression:
        entries = """<entry><id>http://arxiv.org/api/errors#incorrect_query</id><title>Error</title>
            <summary>incorrect query</summary></entry>"""
    else:
        query = " ".join(part.strip().removeprefix("all:").strip('"') for part in expression.split(" AND "))
        entries = "".join(
            f"""<entry><id>http://arxiv.org/abs/2605.0{number}v1</id><published>{work.day}T01:02:03Z</published>
            <updated>{work.day}T01:02:03Z</updated><title>{escape(work.title)}</title>
            <summary>{escape(work.text)}</summary>
            {"".join(f"<author><name>{escape(name)}</name></author>" for name in work.authors)}
            <link href="http://arxiv.org/abs/2605.0{number}v1" rel="alternate" type="text/html"/>
            <link title="pdf" href="http://arxiv.org/pdf/2605.0{number}v1" rel="related" type="application/pdf"/>
            <arxiv:doi xmlns:arxiv="http://arxiv.org/schemas/atom">{work.doi}</arxiv:doi></entry>"""
            for number, work in enumerate(_slice(script.matching("academic", query), start, count))
        )
    return Response(
        f'<?xml version="1.0" encoding="UTF-8"?><feed xmlns="http://www.w3.org/2005/Atom">'
        f"<title>ArXiv Query</title><id>http://arxiv.org/api/x</id>{entries}</feed>",
        media_type="application/atom+xml",
    )


def crossref(script: Script, given: dict[str, str]) -> Response:
    """Abstracts in JATS; date parts of any length; titles are lists."""
    rows, offset = int(given.get("rows", 20)), int(given.get("offset", 0))
    found = _slice(script.matching("academic", given["query.bibliographic"]), offset, rows)
    items = [
        {
            "DOI": work.doi,
            "URL": f"https://doi.org/{work.doi}",
            "title": [work.title],
            "author": [{"given": name.split()[0], "family": name.split()[-1]} for name in work.authors],
            "issued": {"date-parts": [[work.day.year, work.day.month]]},
            "abstract": f"<jats:title>Abstract</jats:title><jats:p>{escape(work.text)}</jats:p>",
        }
        for work in found
    ]
    headers = {"X-Rate-Limit-Limit": "50", "X-Rate-Limit-Interval": "1s"}
    message = {"total-results": len(items), "items-per-page": rows, "items": items}
    return JSONResponse({"status": "ok", "message-type": "work-list", "message": message}, headers=headers)


def feeds(script: Script, given: dict[str, str]) -> Response:
    """RSS 2.0 with every article."""
    items = "".join(
        f"<item><title>{escape(work.title)}</title><link>{script.url(work)}</link>"
        f"<description>{escape(escape(snippet(work)))}</description>"
        f"<pubDate>{work.day.strftime('%a, %d %b %Y')} 10:00:00 GMT</pubDate></item>"
        for work in script.works
        if "news" in work.kinds
    )
    body = f'<?xml version="1.0"?><rss version="2.0"><channel><title>The Daily Test</title>{items}</channel></rss>'
    return Response(body, media_type="application/rss+xml")


def newsapi(script: Script, given: dict[str, str]) -> Response:
    """Errors carry `code`; too far back is 426."""
    size, page = int(given.get("pageSize", 100)), int(given.get("page", 1))
    if size * page > 100:
        error = {"status": "error", "code": "maximumResultsReached", "message": "upgrade to see more"}
        return JSONResponse(error, 426)
    found = _slice(script.matching("news", given["q"]), (page - 1) * size, size)
    articles = [{"title": "[Removed]", "url": "https://removed.com", "description": "[Removed]", "publishedAt": None}]
    articles += [
        {
            "source": {"id": None, "name": "Daily"},
            "author": work.authors[0],
            "title": work.title,
            "description": snippet(work),
            "url": script.url(work),
            "publishedAt": f"{work.day}T10:00:00Z",
            "content": f"{work.text[:200]} [+1000 chars]",
        }
        for work in found
    ]
    return JSONResponse({"status": "ok", "totalResults": len(articles), "articles": articles})


def gdelt(script: Script, given: dict[str, str]) -> Response:
    """What is wrong with a query is plain text with status 200; nothing found is `{}`."""
    if any(len(word) < 3 and word.isascii() for word in given["query"].split()):
        return PlainTextResponse("The specified phrase is too short.")
    found = script.matching("news", given["query"])[: int(given.get("maxrecords", 75))]
    if not found:
        return JSONResponse({})
    articles = [
        {
            "url": script.url(work),
            "url_mobile": "",
            "title": work.title,
            "seendate": f"{work.day:%Y%m%d}T101500Z",
            "socialimage": "",
            "domain": HOSTS[work.host % len(HOSTS)],
            "language": "English",
            "sourcecountry": "Switzerland",
        }
        for work in found
    ]
    return JSONResponse({"articles": articles})


ANSWERS: dict[str, Answer] = {name: globals()[name] for name in NAMES}
PATHS = {
    "searxng": "/search",
    "brave": "/res/v1/web/search",
    "tavily": "/search",
    "marginalia": "/search",
    "wikipedia": "/w/api.php",
    "openalex": "/works",
    "semantic_scholar": "/graph/v1/paper/search",
    "arxiv": "/api/query",
    "crossref": "/works",
    "feeds": "/news.xml",
    "newsapi": "/v2/everything",
    "gdelt": "/api/v2/doc/doc",
}


async def _failed(fault: Fault) -> Response:
    if fault.kind == "hang":
        await asyncio.sleep(HANG_S)
    return {
        "rate_limited": JSONResponse({"error": "too many requests"}, 429, {"Retry-After": "77"}),
        "quota": JSONResponse(
            {"error": "used up"}, 429, {"X-RateLimit-Remaining": "1, 0", "X-RateLimit-Reset": "1, 500"}
        ),
        "server_error": PlainTextResponse("Internal Server Error", 500),
        "broken_json": Response(b'{"results": [{"title": ', media_type="application/json"),
        "html": HTMLResponse("<html><title>Just a moment...</title><p>Please verify that you are human.</p></html>"),
        "plain": PlainTextResponse("Please limit requests to one every 5 seconds or contact us for larger queries."),
        "empty": JSONResponse({}),
        "odd_form": JSONResponse(
            {"results": "none", "data": 7, "articles": "x", "web": {"results": 3}, "message": 1, "query": 1}
        ),
        "unauthorized": JSONResponse({"error": "the key is wrong or has expired"}, 401),
        "forbidden": JSONResponse({"message": "Forbidden"}, 403),
    }.get(fault.kind, Response(status_code=500))


def build_app(script: Script) -> Starlette:
    """Return the application that serves all of it."""

    def provider(name: str) -> Route:
        async def endpoint(request: Request) -> Response:
            given = dict(request.query_params)
            if request.method == "POST":
                given |= {key: str(value) for key, value in json.loads(await request.body()).items()}
            script.asked.append((name, given | {"user_agent": request.headers.get("user-agent", "")}))
            fault = script.faults.get(name)
            if fault is not None and fault.times != 0:
                if fault.times is not None:
                    fault.times -= 1
                return await _failed(fault)
            header = KEYED.get(name)
            if header and name != "semantic_scholar" and KEY not in request.headers.get(header, ""):
                return JSONResponse({"error": "missing or invalid API key"}, 401)
            return ANSWERS[name](script, given)

        return Route(f"/{name}{PATHS[name]}", endpoint, methods=["POST"] if name == "tavily" else ["GET"])

    async def page(request: Request) -> Response:
        slug = unquote(request.path_params["slug"])
        script.asked.append(("page", {"path": slug, "host": request.url.hostname or ""}))
        work = next((work for work in script.works if slug in (work.slug, work.title.replace(" ", "_"))), None)
        if work is None:
            return HTMLResponse("<h1>Not found</h1>", 404)
        paragraphs = "".join(f"<p>{escape(part)}</p>" for part in work.text.split("\n\n"))
        return HTMLResponse(
            f"<!doctype html><html><head><title>{escape(work.title)}</title>"
            f'<meta property="article:published_time" content="{work.day}T00:00:00Z">'
            f'<meta name="author" content="{escape(work.authors[0])}"></head>'
            f"<body><nav>Home News</nav><main><h1>{escape(work.title)}</h1>{paragraphs}</main></body></html>"
        )

    async def robots(request: Request) -> Response:
        rules = [
            work.robots
            for work in script.works
            if HOSTS[work.host % len(HOSTS)] == request.url.hostname and work.robots
        ]
        return PlainTextResponse("\n".join(rules)) if rules else PlainTextResponse("", 404)

    return Starlette(
        routes=[
            *(provider(name) for name in NAMES),
            Route("/robots.txt", robots),
            Route("/pages/{slug:path}", page),
            Route("/wikipedia/wiki/{slug:path}", page),
        ]
    )


class ProviderServers:
    """Runs all providers and pages in a thread of its own, on one free port of several loopback addresses."""

    def __init__(self, works: Iterable[Work] = ()) -> None:
        self.script = Script(list(works))
        self._sockets = [socket.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in HOSTS]
        for number, (host, each) in enumerate(zip(HOSTS, self._sockets, strict=True)):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            each.bind((host, self.port if number else 0))
        self.script.port = self.port
        config = uvicorn.Config(
            build_app(self.script), log_level="critical", lifespan="off", ws="none", timeout_graceful_shutdown=1
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": self._sockets}, daemon=True)

    @property
    def port(self) -> int:
        """Return the port of every address."""
        return int(self._sockets[0].getsockname()[1])

    @property
    def page_hosts(self) -> list[str]:
        """Return `host:port` of every site."""
        return [f"{host}:{self.port}" for host in HOSTS]

    def base(self, name: str) -> str:
        """Return a provider's base address, as a setting holds it."""
        path = PATHS[name] if name in ("wikipedia", "feeds") else ""
        return f"http://127.0.0.1:{self.port}/{name}{path}"

    def asked(self, name: str) -> list[dict[str, str]]:
        """Return what a provider was asked."""
        return [given for asked, given in self.script.asked if asked == name]

    def fail(self, name: str, kind: str, times: int | None = None) -> None:
        """Let a provider fail from now on."""
        self.script.faults[name] = Fault(kind, times)

    def settings(self, *names: str) -> dict[str, Any]:
        """Return the product's settings that turn providers on and point them here."""
        values: dict[str, Any] = {
            "sources": names,
            "fetch_allowed_private_hosts": tuple(self.page_hosts),
            "news_feeds": (self.base("feeds"),),
        }
        values |= {f"{name}_url": self.base(name) for name in NAMES if name != "feeds"}
        return values

    async def __aenter__(self) -> "ProviderServers":
        self._thread.start()
        async with asyncio.timeout(10):
            while not self._server.started:
                await asyncio.sleep(0.01)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._server.force_exit = True
        await asyncio.to_thread(self._thread.join, 10)
        for each in self._sockets:
            each.close()

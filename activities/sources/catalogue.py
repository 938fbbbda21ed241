"""The catalogue: every provider there is, and those that a configuration turns on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from pydantic import SecretStr

from activities.sources import (
    arxiv,
    brave,
    crossref,
    feeds,
    gdelt,
    marginalia,
    newsapi,
    openalex,
    searxng,
    semantic_scholar,
    tavily,
    wikipedia,
)
from activities.sources.asking import Sources
from activities.sources.provider import ProviderInfo, SearchProvider
from infra.addresses import PUBLIC_PORTS
from infra.http import USER_AGENT, SafeHttpClient
from infra.shared import Shared
from schema.contracts.tools import SourceNote
from schema.policies import FEEDS_MAX

ALL = "all"
INFOS: dict[str, ProviderInfo] = {
    module.INFO.name: module.INFO
    for module in (
        searxng,
        brave,
        tavily,
        marginalia,
        wikipedia,
        openalex,
        semantic_scholar,
        arxiv,
        crossref,
        feeds,
        newsapi,
        gdelt,
    )
}
"""By name, in the order in which `all` asks them."""

DEFAULT_URLS = {
    "brave": "https://api.search.brave.com",
    "tavily": "https://api.tavily.com",
    "marginalia": "https://api2.marginalia-search.com",
    "wikipedia": "https://{language}.wikipedia.org/w/api.php",
    "openalex": "https://api.openalex.org",
    "semantic_scholar": "https://api.semanticscholar.org",
    "arxiv": "https://export.arxiv.org",
    "crossref": "https://api.crossref.org",
    "newsapi": "https://newsapi.org",
    "gdelt": "https://api.gdeltproject.org",
}


@dataclass(frozen=True)
class SourceConfig:
    """What a deployment says of its sources."""

    enabled: Sequence[str] = ()
    """Names in the order in which they are asked; `all`: every one that has what it needs."""
    urls: Mapping[str, str] = field(default_factory=dict)
    """Addresses that replace the providers' own; they may be private. SearXNG has none of its own."""
    keys: Mapping[str, SecretStr] = field(default_factory=dict)
    feeds: Sequence[str] = ()
    contact: str | None = None
    user_agent: str = USER_AGENT


def build_sources(config: SourceConfig, shared: Shared) -> Sources:
    """Return the providers that `config` turns on; one that is named and lacks something is noted, not fatal.

    Raises:
        ValueError: it names a provider that does not exist.
    """
    if unknown := [name for name in config.enabled if name not in INFOS and name != ALL]:
        raise ValueError(f"there is no provider {', '.join(unknown)}; known are {', '.join(INFOS)}")
    everything = ALL in config.enabled
    names = dict.fromkeys([name for name in config.enabled if name != ALL] + (list(INFOS) if everything else []))
    providers, missing = [], []
    for name in names:
        provider = _provider(name, config, shared)
        if provider is not None:
            providers.append(provider)
        elif name in config.enabled:
            reason = f"its setting {INFOS[name].needs} is missing"
            missing.append(SourceNote(provider=name, kind=INFOS[name].kind, reason=reason))
    http = SafeHttpClient(_private_hosts(config), user_agent=config.user_agent)
    return Sources(providers, shared, http, missing)


def _provider(name: str, config: SourceConfig, shared: Shared) -> SearchProvider | None:
    """Make one client; None: what it needs is missing."""
    url = config.urls.get(name) or DEFAULT_URLS.get(name, "")
    key, mailto = config.keys.get(name), config.contact
    if name == "feeds":
        return feeds.Feeds(tuple(config.feeds[:FEEDS_MAX]), shared) if config.feeds else None
    keyless: dict[str, SearchProvider] = {
        "wikipedia": wikipedia.Wikipedia(url),
        "openalex": openalex.OpenAlex(url, key, mailto),
        "semantic_scholar": semantic_scholar.SemanticScholar(url, key),
        "arxiv": arxiv.ArXiv(url),
        "crossref": crossref.Crossref(url, mailto),
        "gdelt": gdelt.Gdelt(url),
    }
    if name == "searxng":
        return searxng.SearXNG(url) if url else None
    if name in keyless:
        return keyless[name]
    keyed: dict[str, SearchProvider] = {}
    if key is not None:
        keyed = {
            "brave": brave.Brave(url, key),
            "tavily": tavily.Tavily(url, key),
            "marginalia": marginalia.Marginalia(url, key),
            "newsapi": newsapi.NewsApi(url, key),
        }
    return keyed.get(name)


def _private_hosts(config: SourceConfig) -> list[str]:
    """Return `host:port` of what the operator names himself: those addresses, and no others, may be private."""
    hosts = []
    for url in (*config.urls.values(), *config.feeds):
        parts = urlsplit(url)
        if parts.hostname:
            host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
            hosts.append(f"{host}:{parts.port or PUBLIC_PORTS.get(parts.scheme, 443)}")
    return hosts


def providers_table() -> str:
    """Return the Markdown table of `docs/configuration.md`."""
    lines = ["| provider | kind | needs | rate | list price | licence and terms |", "|---|---|---|---|---|---|"]
    for info in INFOS.values():
        needs = f"`SWISSBRAIN_{info.needs.upper()}`" if info.needs else "nothing"
        price = f"{info.cost_usd * 1000:g} USD per 1,000" if info.cost_usd else "free"
        lines.append(f"| `{info.name}` | {info.kind.value} | {needs} | {info.rate} | {price} | {info.licence} |")
    return "\n".join(lines)


if __name__ == "__main__":
    import sys

    sys.stdout.write(providers_table() + "\n")

"""robots.txt (RFC 9309): whether a page may be read, asked before it is fetched and after every change of host."""

from urllib.parse import urlsplit

from protego import Protego

from infra.http import SafeHttpClient
from infra.shared import Shared
from schema.errors import BlockedAddress, SourceUnavailable
from schema.policies import ROBOTS_BYTES_MAX, ROBOTS_KEPT


class Robots:
    """Reads each host's file once an hour, for all workers."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    async def check(self, http: SafeHttpClient, url: str) -> None:
        """Refuse an address that its host's robots.txt closes to us.

        Raises:
            SourceUnavailable: it is closed; `rule` is `robots`.
            SourceTemporarilyUnavailable: the file cannot be had because the host fails, which closes everything
                (RFC 9309, 2.3.1.4).
            BlockedAddress: outbound requests may not go there.
        """
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        rules = await self._rules(http, origin)
        # The product token is what stands before the version (RFC 9309, 2.2.1).
        agent = http.user_agent.partition("/")[0].strip()
        if rules and not Protego.parse(rules).can_fetch(url, agent):
            raise SourceUnavailable(
                f"robots.txt forbids: {parts.hostname} does not want this page read.", rule="robots"
            )

    async def _rules(self, http: SafeHttpClient, origin: str) -> str:
        key = f"robots:{origin}"
        if (known := await self._shared.recall(key)) is not None:
            return known
        try:
            answer = await http.get(f"{origin}/robots.txt", content_types=None, bytes_max=ROBOTS_BYTES_MAX)
        except SourceUnavailable as error:
            # 4xx: there are no rules (2.3.1.3). What is too long or unreadable says nothing we could follow either.
            if "status" not in error.facts and "limit" not in error.facts:
                raise
            rules = ""
        except BlockedAddress as error:
            if error.facts.get("rule") not in ("redirect_to_private", "downgrade", "scheme"):
                raise
            rules = ""
        else:
            is_page = answer.content_type in ("text/html", "application/xhtml+xml")
            rules = "" if is_page else answer.body.decode("utf-8", "replace")
        await self._shared.remember(key, rules, ROBOTS_KEPT.total_seconds())
        return rules

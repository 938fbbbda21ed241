"""Which addresses outbound requests may reach: the rule for URLs and the rule for IP addresses. Pure; resolves nothing.

`ipaddress.is_global` is not the rule: its answers differ between Python versions, and it passes multicast, cloud
metadata services at public addresses, and IPv6 forms that carry an IPv4 address. The ranges stand here in full.
The client that applies both rules to every hop is `infra/http.py`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import NoReturn
from urllib.parse import quote

import idna

from schema.errors import BlockedAddress
from schema.policies import URL_LENGTH_MAX

Address = IPv4Address | IPv6Address

PUBLIC_PORTS = {"http": 80, "https": 443}
"""The only ports of public hosts, whatever the scheme."""

_DENIED_V4 = tuple(
    IPv4Network(network)
    for network in (
        # IANA IPv4 special-purpose address registry (RFC 6890 and its successors), plus multicast and class E.
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        # Azure's platform service answers at a public address.
        "168.63.129.16/32",
    )
)
_UNICAST_V6 = IPv6Network("2000::/3")
_DENIED_V6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments: Teredo, benchmarking, ORCHID
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: carries an IPv4 address
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)
_PRIVATE = (
    IPv4Network("127.0.0.0/8"),
    IPv4Network("10.0.0.0/8"),
    IPv4Network("172.16.0.0/12"),
    IPv4Network("192.168.0.0/16"),
    IPv4Network("100.64.0.0/10"),
    IPv6Network("::1/128"),
    IPv6Network("fc00::/7"),
)
"""What a host named in the configuration may resolve to besides public addresses."""
_METADATA = frozenset(ip_address(address) for address in ("100.100.100.200", "168.63.129.16", "fd00:ec2::254"))
"""Cloud metadata services inside otherwise private or public ranges: closed even to configured hosts."""

_SPECIAL_SUFFIXES = frozenset(
    # RFC 6761, 6762, 7686, 8375, 9476 and ICANN's reservation of `internal`, and what routers use at home and at work.
    [
        "localhost",
        "localdomain",
        "local",
        "internal",
        "intranet",
        "private",
        "corp",
        "home",
        "lan",
        "home.arpa",
        "onion",
        "alt",
        "test",
        "invalid",
        "example",
        "in-addr.arpa",
        "ip6.arpa",
    ]
)
_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):(?://(?P<authority>[^/?#]*)(?P<target>[^#]*)(?:#.*)?|.*)")
_AUTHORITY = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[^\[\]:]+))(?::(?P<port>[0-9]{1,5}))?")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f-\xa0\\\u1680\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff]")
_TARGET_SAFE = "!$%&'()*+,-./:;=?@[]_~|^"


@dataclass(frozen=True)
class CheckedUrl:
    """A URL that passed the rule, in the only form in which it is used from here on."""

    scheme: str
    host: str
    """ASCII, lower case, without brackets or a trailing dot."""
    port: int
    target: str
    """Path and query, ASCII."""
    literal: Address | None
    """The host as an address, where it is one."""
    private: bool
    """The configuration names this host and port: private addresses are open to it."""

    @property
    def authority(self) -> str:
        """Return `host` or `host:port`, as the Host header carries it."""
        host = f"[{self.host}]" if isinstance(self.literal, IPv6Address) else self.host
        return host if self.port == PUBLIC_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> tuple[str, str, int]:
        """Return (scheme, host, port)."""
        return self.scheme, self.host, self.port

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"


def check_url(url: str, private_hosts: Iterable[str] = ()) -> CheckedUrl:
    """Take a URL apart, once, and refuse what outbound requests may not name.

    Args:
        private_hosts: `host:port` of services on private addresses that are open by configuration.

    Raises:
        BlockedAddress: `rule` names what the URL breaks.
    """
    if len(url) > URL_LENGTH_MAX:
        _refuse("length", f"The URL is longer than {URL_LENGTH_MAX} characters.")
    check_characters(url)
    parts = _URL.fullmatch(url)
    scheme = parts["scheme"].lower() if parts else ""
    if parts is None or scheme not in PUBLIC_PORTS:
        _refuse("scheme", "Only http:// and https:// can be fetched.")
    authority = parts["authority"] or ""
    if "@" in authority:
        _refuse("userinfo", "The URL carries a user name or password.")
    split = _AUTHORITY.fullmatch(authority)
    if split is None:
        _refuse("host", "The URL has no host that can be read.")
    port = int(split["port"]) if split["port"] else PUBLIC_PORTS[scheme]
    host, literal = _check_v6(split["v6"]) if split["v6"] else _check_host(split["name"])
    private = _is_named(host, literal, port, private_hosts)
    if not private:
        _check_public(host, literal, port)
    return CheckedUrl(scheme, host, port, _target(parts["target"]), literal, private)


def check_characters(url: str) -> None:
    """Refuse spaces, control characters and backslashes: parsers disagree about them.

    Raises:
        BlockedAddress: the rule is `characters`.
    """
    if _FORBIDDEN.search(url):
        _refuse("characters", "The URL contains a space, a control character or a backslash.")


def check_address(address: Address, *, private: bool = False) -> None:
    """Refuse an address that is not public unicast.

    Args:
        private: the host is named in the configuration; loopback and private ranges are open to it, never link-local
            addresses or metadata services.

    Raises:
        BlockedAddress: the rule is `address`.
    """
    if address in _METADATA or not (_is_public(address) or (private and any(address in net for net in _PRIVATE))):
        _refuse("address", "The host is at an address that is not public.")


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _DENIED_V4)
    if address.scope_id is not None or address not in _UNICAST_V6:
        return False
    # ISATAP (RFC 5214) hides an IPv4 address behind the interface identifier 0000:5efe or 0200:5efe, in any prefix.
    if (int(address) >> 32) & 0xFDFF_FFFF == 0x0000_5EFE:
        return False
    return not any(address in network for network in _DENIED_V6)


def _check_v6(text: str) -> tuple[str, Address]:
    try:
        address = IPv6Address(text)
    except ValueError:
        _refuse("host", "The IPv6 address cannot be read.")
    return address.compressed, address


def _check_host(raw: str) -> tuple[str, Address | None]:
    """Return the host in ASCII, and as an address if it is a canonical dotted quad."""
    if "%" in raw:
        _refuse("host", "The host is percent-encoded.")
    host = raw.lower() if raw.isascii() else _encoded(raw)
    host = host.removesuffix(".")
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        _refuse("host", "The host is not a valid name.")
    if not _NUMERIC_LABEL.fullmatch(labels[-1]):
        return host, None
    # The C library reads 0x7f.1, 0177.0.0.1, 2130706433 and 127.1 as addresses; only the canonical form is one here.
    try:
        address = IPv4Address(host)
    except ValueError:
        _refuse("host", "The address is not written as four decimal numbers.")
    if not raw.isascii():
        _refuse("host", "The address is not written in ASCII digits.")
    return host, address


def _encoded(raw: str) -> str:
    try:
        return idna.encode(raw, uts46=True, transitional=False).decode("ascii").lower()
    except (idna.IDNAError, UnicodeError, IndexError):
        _refuse("host", "The host is not a valid internationalised name.")


def _is_named(host: str, literal: Address | None, port: int, private_hosts: Iterable[str]) -> bool:
    shown = f"[{host}]:{port}" if isinstance(literal, IPv6Address) else f"{host}:{port}"
    return shown in {entry.strip().lower() for entry in private_hosts}


def _check_public(host: str, literal: Address | None, port: int) -> None:
    if port not in PUBLIC_PORTS.values():
        _refuse("port", "Only ports 80 and 443 can be reached.")
    if literal is not None:
        check_address(literal)
        return
    labels = host.split(".")
    if len(labels) < 2:
        _refuse("name", "The host has no domain.")
    if any(".".join(labels[i:]) in _SPECIAL_SUFFIXES for i in range(len(labels))):
        _refuse("name", "The host is a name of a local network.")


def _target(raw: str) -> str:
    target = raw if raw.startswith("/") else "/" + raw
    encoded = quote(target, safe=_TARGET_SAFE)
    if len(encoded) > 4 * URL_LENGTH_MAX:
        _refuse("length", "The URL is too long.")
    return encoded


def _refuse(rule: str, detail: str) -> NoReturn:
    raise BlockedAddress(detail, rule=rule)

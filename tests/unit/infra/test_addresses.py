"""The rule for URLs and addresses, over the whole list."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.addresses import check_address, check_url
from schema.errors import BlockedAddress
from schema.policies import URL_LENGTH_MAX
from tests.unit.infra.urls import URLS

RULES = {"length", "scheme", "characters", "userinfo", "host", "name", "port", "address"}


@pytest.mark.parametrize(("url", "want", "kind"), URLS)
def test_list_of_urls(url: str, want: str, kind: str) -> None:
    """Every URL of the list gets its verdict, and a refusal names its rule."""
    if want == "allow":
        assert check_url(url).host
        return
    with pytest.raises(BlockedAddress) as refusal:
        check_url(url)
    assert refusal.value.facts["rule"] in RULES


def test_list_is_complete() -> None:
    """The list has not lost lines."""
    assert len({url for url, _, _ in URLS}) == len(URLS)
    assert len(URLS) >= 320


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("http://" + "a" * 2050 + ".com/", "length"),
        ("ftp://example.com/", "scheme"),
        ("http://a b.com/", "characters"),
        ("http://u@example.com/", "userinfo"),
        ("http://0x7f.1/", "host"),
        ("http://localhost/", "name"),
        ("http://example.com:22/", "port"),
        ("http://10.0.0.1/", "address"),
    ],
)
def test_refusal_names_its_rule(url: str, rule: str) -> None:
    """The error says which rule."""
    with pytest.raises(BlockedAddress) as refusal:
        check_url(url)
    assert refusal.value.facts == {"rule": rule}


def test_the_longest_url() -> None:
    """As it comes, and as it goes out: each byte that is not ASCII becomes three characters."""
    start = "http://example.com/"
    assert check_url(start + "a" * (URL_LENGTH_MAX - len(start))).target
    encoded = "é" * 1_365
    assert len(check_url(f"{start}{encoded}a").target) == 4 * URL_LENGTH_MAX
    for url in (start + "a" * (URL_LENGTH_MAX - len(start) + 1), f"{start}{encoded}aa"):
        with pytest.raises(BlockedAddress) as refusal:
            check_url(url)
        assert refusal.value.facts == {"rule": "length"}


def test_canonical_form() -> None:
    """One spelling goes on from here."""
    checked = check_url("HTTPS://BÜCHER.Example.com.:443/ä b".replace(" ", "%20") + "?q=ö#x")
    assert str(checked) == "https://xn--bcher-kva.example.com/%C3%A4%20b?q=%C3%B6"
    assert checked.authority == "xn--bcher-kva.example.com"
    assert str(check_url("https://[2606:4700:4700:0::1111]")) == "https://[2606:4700:4700::1111]/"
    assert check_url("https://example.com:80/").authority == "example.com:80"


def test_private_hosts_open_by_name_and_port() -> None:
    """Configuration opens exactly what it names, never a metadata service."""
    hosts = ("127.0.0.1:8888", "searx.internal:8080", "[::1]:9000")
    assert check_url("http://127.0.0.1:8888/x", hosts).private
    assert check_url("http://SEARX.internal:8080/", hosts).private
    assert check_url("http://[::1]:9000/", hosts).private
    for url in ("http://127.0.0.1:8889/", "http://127.0.0.1/", "http://searx.internal/", "http://x.internal:8080/"):
        with pytest.raises(BlockedAddress):
            check_url(url, hosts)
    check_address(ip_address("10.1.2.3"), private=True)
    for metadata in ("169.254.169.254", "100.100.100.200", "168.63.129.16", "fd00:ec2::254", "fe80::1", "224.0.0.1"):
        with pytest.raises(BlockedAddress):
            check_address(ip_address(metadata), private=True)


@pytest.mark.parametrize(
    "suffix",
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
    ],
)
def test_names_of_local_networks(suffix: str) -> None:
    """Below each of them nothing is public, and a name that only ends alike is."""
    with pytest.raises(BlockedAddress) as refusal:
        check_url(f"http://host.{suffix}/")
    assert refusal.value.facts == {"rule": "name"}
    assert check_url(f"http://host.not{suffix}.com/").host == f"host.not{suffix}.com"


@pytest.mark.parametrize(
    "network",
    [
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
        "168.63.129.16/32",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "2620:4f:8000::/48",
        "3fff::/20",
    ],
)
def test_both_ends_of_every_network_are_closed(network: str) -> None:
    """The registries' networks, first and last address."""
    for address in (ip_network(network)[0], ip_network(network)[-1]):
        with pytest.raises(BlockedAddress) as refusal:
            check_address(address)
        assert refusal.value.facts == {"rule": "address"}


@pytest.mark.parametrize(
    "network", ["127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "::1/128", "fc00::/7"]
)
def test_a_configured_host_may_be_at_both_ends_of_private_networks(network: str) -> None:
    """Open only to what the configuration names."""
    for address in (ip_network(network)[0], ip_network(network)[-1]):
        check_address(address, private=True)
        with pytest.raises(BlockedAddress):
            check_address(address)


@given(st.integers(0, 2**32 - 1))
def test_what_python_calls_private_is_never_public(number: int) -> None:
    """The own table is at least as strict as the library's notion of private, on every version."""
    address = IPv4Address(number)
    if address.is_private or address.is_multicast or address.is_reserved:
        with pytest.raises(BlockedAddress):
            check_address(address)


@given(st.integers(0, 2**128 - 1))
def test_ipv6_outside_global_unicast_is_never_public(number: int) -> None:
    """Only 2000::/3 can be public."""
    address = IPv6Address(number)
    if number >> 125 != 1:
        with pytest.raises(BlockedAddress):
            check_address(address)


@given(st.text(max_size=60))
def test_any_text_gets_a_verdict(text: str) -> None:
    """Whatever is passed, the answer is a checked URL or a refusal."""
    for url in (text, f"http://{text}/", f"http://example.com/{text}", f"http://[{text}]/"):
        try:
            checked = check_url(url)
        except BlockedAddress:
            continue
        assert checked.host.isascii()
        assert checked.target.isascii()
        assert check_url(str(checked)) == checked

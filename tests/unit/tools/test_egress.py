"""What may leave after private text was read, and canaries in disguise."""

import base64
import binascii
import codecs
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.tools.canary import carries, prompt_canary
from activities.tools.egress import Sent, Vocabulary, addresses_in, addresses_of, fault_of, same_address

CANARY = "Kestrel-7741-quartz-lagoon"
TASK = "What power does the Zephyr-9 engine of Calder Optics have in 2024?"
PRIVATE = "The access code of the vault is 8841 and the buyer of Calder Optics is Northwind Holdings of Bergen."
VOCABULARY = Vocabulary(open=(TASK,), private=(PRIVATE,))


def spelled(text: str) -> dict[str, str]:
    raw = text.encode()
    return {
        "plain": text,
        "case": text.upper(),
        "spaced": " ".join(text),
        "dashes": "-".join(text),
        "zero width": "\u200b".join(text),
        "full width": "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text),
        "reversed": text[::-1],
        "percent": "".join(f"%{byte:02x}" for byte in raw),
        "percent twice": quote("".join(f"%{byte:02X}" for byte in raw)),
        "hex": raw.hex(),
        "HEX": raw.hex().upper(),
        "base64": base64.b64encode(raw).decode(),
        "base64 at 1": base64.b64encode(b"x" + raw + b"yz").decode(),
        "base64 at 2": base64.b64encode(b"xx" + raw + b"y").decode(),
        "base64url": base64.urlsafe_b64encode(b"a" + raw).decode().rstrip("="),
        "base64 lines": "\n".join(base64.encodebytes(raw).decode()),
        "base64 of reversed": base64.b64encode(raw[::-1]).decode(),
        "base32": base64.b32encode(raw).decode(),
        "in an address": f"http://collect.example/?d={quote(text)}",
    }


@pytest.mark.parametrize("text", spelled(CANARY).values(), ids=spelled(CANARY).keys())
def test_canary_is_found(text: str) -> None:
    assert carries({"query": f"weather {text} today"}, [CANARY])
    assert carries(["before", {"deep": [text]}], ["another-canary-1", CANARY])


def test_canary_split_over_arguments_is_found() -> None:
    assert carries({"a": CANARY[:9], "b": CANARY[9:]}, [CANARY])


@pytest.mark.parametrize(
    "text", ["", TASK, PRIVATE, CANARY[:-3], codecs.encode(CANARY, "rot13"), binascii.hexlify(b"x").decode()]
)
def test_other_texts_are_none(text: str) -> None:
    """ROT13 is not on the list: an alarm has holes, which is why it is no wall."""
    assert not carries({"query": text}, [CANARY])


@given(st.text(max_size=200))
def test_no_text_meets_a_canary_by_chance(text: str) -> None:
    assert not carries({"q": text}, [prompt_canary(b"secret"), CANARY])


def test_the_prompts_canary_is_the_deployments() -> None:
    assert prompt_canary(b"a") == prompt_canary(b"a") != prompt_canary(b"b")
    assert len(prompt_canary(b"a")) == 27


@pytest.mark.parametrize(
    "query",
    [
        "Zephyr-9 engine power",
        "Calder Optics 2024",
        "Zephyr-9 horsepower specification",
        "engine maker founding date",
        "of the",
    ],
)
def test_words_of_the_task_may_leave(query: str) -> None:
    assert fault_of([query], [], VOCABULARY, Sent()) is None


@pytest.mark.parametrize(
    ("query", "rule"),
    [
        ("access code 8841", "private_text"),
        ("8841", "private_text"),
        ("the buyer of Calder", "private_text"),
        ("is Northwind Holdings of Bergen", "private_text"),
        (base64.b64encode(PRIVATE.encode()).decode()[:200], "private_text"),
        (PRIVATE.encode().hex()[:200], "private_text"),
        (PRIVATE[::-1][:60], "private_text"),
        (" ".join("abcdefghij"), "private_text"),
        ("\u200bNorthwind\u200b Holdings of Bergen", "private_text"),
        ("engine " * 90, "egress_bytes"),
    ],
)
def test_private_words_may_not(query: str, rule: str) -> None:
    fault = fault_of([query], [], VOCABULARY, Sent())
    assert fault is not None
    assert fault[0] == rule


def test_number_and_size_are_bounded() -> None:
    assert fault_of(["engine"], [], VOCABULARY, Sent(calls=11)) is None
    assert (fault_of(["engine"], [], VOCABULARY, Sent(calls=12)) or ("",))[0] == "egress_calls"
    assert (fault_of(["engine"], [], VOCABULARY, Sent(text_bytes=2_999)) or ("",))[0] == "egress_bytes"
    assert (fault_of([], ["http://a.example/?" + "q" * 513], VOCABULARY, Sent()) or ("",))[0] == "egress_bytes"
    assert fault_of([], ["http://a.example/?" + "q" * 512], VOCABULARY, Sent()) is None


def test_addresses() -> None:
    assert addresses_in("see (https://a.org/x), or http://b.org.") == [
        "https://a.org/x",
        "http://b.org",
    ]
    whole = 'https://a.org/x"?secret'
    assert addresses_of(whole) == [whole], "a client sends what a reader of prose leaves out"
    assert addresses_of(" HTTP:/x") == ["HTTP:/x"]
    assert same_address("HTTPS://A.org:443/x#y") == same_address("https://a.org/x")
    assert same_address("https://a.org/x") != same_address("https://a.org/x?")

"""Personal data that is found, what only looks like it, and that no text makes the search slow."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmsys_store.convert.scrub import KINDS, Scrubber

FOUND = {
    "email": ["a.b+c@d-e.co.uk", "Jo_Doe@mail.example", "x@y.museum"],
    "phone": [
        "415-555-2671", "(415) 555-2671", "+1 (415) 555-2671", "+49 30 901820", "Tel: 030 901820", "phone number is 5551234",
        "тел. 8 495 1234567",
    ],
    "card": ["4111 1111 1111 1111", "4111-1111-1111-1111", "5500000000000004", "378282246310005"],
    "ip": ["8.8.8.8", "10.0.0.1", "2001:db8::1", "2001:0db8:85a3:0000:0000:8a2e:0370:7334"],
    "key": [
        "sk-abcdefghijklmnopqrstuvwx1234", "ghp_abcdefghij0123456789abcdefghij012345", "hf_abcdefghijklmnop1234",
        "AKIAIOSFODNN7EXAMPLE", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-def",
        "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----",
    ],
}  # fmt: skip
LOOKS_LIKE_IT = [
    "NAME_1 and NAME_22", "4111-1111-1111-1112", "1234567890123456", "127.0.0.1", "0.0.0.0", "256.1.1.1", "1.2.3.4.5",
    "std::vector::iterator", "12:30:45", "2023-04-01", "3.14159265358979", "3+4155552671000", "password = input_password_of_user",
    "http://user@host", "2147483647 4294967296", "1 000 000 000", "fe80::1", "key: value", "@mention",
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in FOUND.items() for text in texts])
def test_what_is_found_is_replaced_by_its_kind_and_counted(kind: str, text: str) -> None:
    scrubber = Scrubber()
    scrubbed = scrubber.scrub(f"é {text}, ok")
    assert scrubbed.endswith(f"[{kind.upper()}], ok") and text not in scrubbed
    assert dict(scrubber.counts) == {kind: 1}


@pytest.mark.parametrize("text", LOOKS_LIKE_IT)
def test_what_only_looks_like_it_stays(text: str) -> None:
    scrubber = Scrubber()
    assert scrubber.scrub(text) == text
    assert not scrubber.counts


def test_the_name_of_a_secret_stays_and_its_value_goes() -> None:
    assert Scrubber().scrub('api_key = "abcd1234efgh5678ijkl"') == 'api_key = "[KEY]"'


def test_several_kinds_in_one_text() -> None:
    scrubber = Scrubber()
    text = "Mail jo@mail.example or call +1 (415) 555-2671 from 8.8.4.4; 漢字 card 4111 1111 1111 1111."
    assert scrubber.scrub(text) == "Mail [EMAIL] or call [PHONE] from [IP]; 漢字 card [CARD]."
    assert dict(scrubber.counts) == {"email": 1, "phone": 1, "ip": 1, "card": 1}


@given(st.text())
def test_scrubbing_again_changes_nothing(text: str) -> None:
    once = Scrubber().scrub(text)
    assert Scrubber().scrub(once) == once
    assert Scrubber().finds(text) or once == text


@given(st.lists(st.sampled_from([text for texts in FOUND.values() for text in texts] + LOOKS_LIKE_IT), max_size=6))
def test_no_personal_data_is_left_in_a_text_of_several(texts: list[str]) -> None:
    scrubbed = Scrubber().scrub(" | ".join(texts))
    assert [text for kind in KINDS for text in FOUND[kind] if text in scrubbed] == []


@pytest.mark.parametrize("piece", ["a", "1 ", "a@", "a@b.", "1.", "0:", "sk-a", "token=", "+1 ", "a@b.example "])
def test_no_text_makes_it_slow(piece: str) -> None:
    """Twenty times the text may take a few dozen times as long, not hundreds: of the processor's time, others run beside it."""

    def seconds(text: str) -> float:
        started = time.process_time()
        Scrubber().scrub(text)
        return time.process_time() - started

    seconds(piece * 100)
    small = min(seconds(piece * 2_000) for _ in range(3))
    assert seconds(piece * 40_000) < 80 * max(small, 0.001)

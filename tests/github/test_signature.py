"""Whose bytes they are: signed by GitHub with one of our secrets, or refused."""

import hmac
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from github.errors import BadSignature
from github.webhooks import verify_signature

SECRET = "hook secret ü"
BODY = b'{"zen": "Design for failure."}'


def signature_of(body: bytes, secret: str = SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, sha256).hexdigest()


GOOD = signature_of(BODY)


def test_github_signs_the_bytes() -> None:
    # The example of GitHub's own documentation.
    signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    verify_signature(b"Hello, World!", signature=signature, secrets=["It's a Secret to Everybody"])


@pytest.mark.parametrize("secrets", [[SECRET], ["new", SECRET], [SECRET, "old"], ["", SECRET]])
def test_either_secret_counts_while_it_is_rotated(secrets: list[str]) -> None:
    verify_signature(BODY, signature=GOOD, secrets=secrets)


WRONG = {
    "absent": "",
    "bare": GOOD.removeprefix("sha256="),
    "sha1": "sha1=" + hmac.new(SECRET.encode(), BODY, "sha1").hexdigest(),
    "sha1 named sha256": "sha256=" + hmac.new(SECRET.encode(), BODY, "sha1").hexdigest(),
    "upper case": "sha256=" + GOOD.removeprefix("sha256=").upper(),
    "cut": GOOD[:-1],
    "longer": GOOD + "0",
    "blank before": " " + GOOD,
    "newline after": GOOD + "\n",
    "twice": f"{GOOD}, {GOOD}",
    "other secret": signature_of(BODY, "other"),
    "empty secret": signature_of(BODY, ""),
    "other body": signature_of(BODY + b" "),
    "zeros": "sha256=" + "0" * 64,
    "not ascii": "sha256=" + "é" * 64,
    "other digits": "sha256=" + "٣" * 64,
    "half a pair": "sha256=\ud800",
    "huge": "sha256=" + "a" * 1_000_000,
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("secrets", [[SECRET], [SECRET, ""], []])
def test_a_wrong_signature_is_refused(name: str, secrets: list[str]) -> None:
    with pytest.raises(BadSignature):
        verify_signature(BODY, signature=WRONG[name], secrets=secrets)


@pytest.mark.parametrize("bit", range(len(BODY) * 8))
def test_a_single_bit_makes_another_body(bit: int) -> None:
    flipped = bytearray(BODY)
    flipped[bit // 8] ^= 1 << bit % 8
    with pytest.raises(BadSignature):
        verify_signature(bytes(flipped), signature=GOOD, secrets=[SECRET])


@given(signature=st.text(max_size=90) | st.from_regex(r"sha256=[0-9a-f]{64}", fullmatch=True))
def test_no_text_is_taken_for_a_signature_or_breaks_the_verifier(signature: str) -> None:
    with pytest.raises(BadSignature):
        verify_signature(BODY, signature=signature, secrets=[SECRET])

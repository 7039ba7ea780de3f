import pytest

from playground.github_packets import ZERO, BadPackets, Update, packet, refusal, updates_of, words_in

A, B = "a" * 40, "b" * 40


def lines(*told: str) -> bytes:
    return b"".join(packet(line.encode()) for line in told) + b"0000PACK..."


def test_every_line_of_a_push_is_an_update() -> None:
    body = lines(f"shallow {A}", f"{ZERO} {A} refs/heads/x\0 report-status", f"{A} {ZERO} refs/heads/y y\n")
    assert updates_of(body) == [Update(ZERO, A, "refs/heads/x"), Update(A, ZERO, "refs/heads/y y")]
    assert [one.branch for one in updates_of(body)] == ["x", "y y"]
    assert Update(A, B, "refs/tags/v1").branch is None
    assert updates_of(b"0000") == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"00",
        b"zzzz",
        b"+000",
        b"0003",
        b"00ff" + b"x",
        lines("hello"),
        lines(f"{A} {A[:39]}x refs/heads/x"),
    ],
)
def test_what_no_git_sends_is_no_push(body: bytes) -> None:
    with pytest.raises(BadPackets):
        updates_of(body)


def test_a_refusal_names_each_ref_and_is_read_back() -> None:
    updates = [Update(A, B, "refs/heads/x"), Update(A, B, "refs/heads/main")]
    told = refusal(updates, "no\nnever", {"refs/heads/main": "protected"}, "declined")
    assert words_in(told) == "no\nnever"
    assert b"ng refs/heads/x declined\n" in told
    assert b"ng refs/heads/main protected\n" in told
    assert words_in(b"<html>") == ""

"""What git prints, read back; real output and hostile contents."""

from pathlib import Path

import pytest

from core.workspace.outcomes import (
    WORDS_CHARS,
    Pushed,
    Refusal,
    RefusedByHost,
    Stale,
    Unreachable,
    plain,
    read_push,
)
from core.workspace.patches import Added, Change, added, changes
from tests.core.workspace.conftest import run

ZERO, ONE, TWO = "0" * 40, "1" * 40, "2" * 40
REF = "refs/heads/fix"


def patch_of(repository: Path, before: dict[str, bytes], after: dict[str, bytes]) -> list[Added]:
    """The lines that a real commit adds."""
    for state, message in ((before, "Before"), (after, "After")):
        for name, text in state.items():
            (repository / name).parent.mkdir(parents=True, exist_ok=True)
            (repository / name).write_bytes(text)
        run(repository, "add", ".")
        run(repository, "commit", "-q", "--allow-empty", "-m", message)
    run(repository, "config", "core.quotePath", "true")
    (repository / "patch").write_bytes(b"")
    run(repository, "log", "-1", "-p", "-U0", "--text", "--format=", "--no-renames", "--output=patch")
    return list(added((repository / "patch").read_bytes()))


def test_lines_come_with_their_numbers(upstream: Path) -> None:
    found = patch_of(upstream, {"a.py": b"1\n2\n3\n4\n"}, {"a.py": b"1\nx\n3\ny\nz\n"})
    assert found == [Added(b"a.py", ((2, "x"), (4, "y"), (5, "z")))]


def test_what_looks_like_a_header_is_a_line(upstream: Path) -> None:
    text = b"+++ b/other\n--- a/other\n@@ -1 +1 @@\ndiff --git a/x b/x\n+\n-\n\\ No newline at end of file\n"
    lines = tuple(enumerate(text.decode().split("\n")[:-1], 1))
    assert patch_of(upstream, {}, {"a.py": text}) == [Added(b"a.py", lines)]
    assert patch_of(upstream, {"b.py": text}, {"b.py": b"-- x\n++ y\n"}) == [
        Added(b"b.py", ((1, "-- x"), (2, "++ y")))
    ]


@pytest.mark.parametrize(
    "name", ["a b", "ünï", 'q"uote', "back\\slash", "tab\tbed", "new\nline", "b/b", " a "]
)
def test_names_come_back_as_they_are(upstream: Path, name: str) -> None:
    assert patch_of(upstream, {}, {name: b"x\n"}) == [Added(name.encode(), ((1, "x"),))]


def test_odd_line_ends_are_part_of_the_line(upstream: Path) -> None:
    found = patch_of(upstream, {}, {"a": b"1\r\n2\x0c3\xe2\x80\xa84\x85\n\0\n\xff\nlast"})
    assert found == [
        Added(b"a", ((1, "1\r"), (2, "2\x0c3\u20284\ufffd"), (3, "\0"), (4, "\ufffd"), (5, "last")))
    ]


def test_a_file_that_only_lost_lines_adds_nothing(upstream: Path) -> None:
    assert patch_of(upstream, {"a": b"1\n2\n3\n"}, {"a": b"1\n"}) == []


def test_a_patch_that_is_none_is_an_error() -> None:
    with pytest.raises(ValueError, match="none"):
        list(added(b"+++ b/x\n@@ nonsense @@\n"))


def test_raw_records_are_read_whatever_the_names_are() -> None:
    raw = (
        f":000000 100644 {ZERO} {ONE} A\0:100644 x\0"
        f":100644 120000 {ONE} {TWO} T\0new\nline\0"
        f"\n:160000 000000 {ONE} {ZERO} D\0lib\0"
    ).encode()
    assert list(changes(raw)) == [
        Change(b":100644 x", "000000", "100644", ONE),
        Change(b"new\nline", "100644", "120000", TWO),
        Change(b"lib", "160000", "000000", ZERO),
    ]


@pytest.mark.parametrize(
    ("code", "out", "err", "expected"),
    [
        (0, f"To x\n*\t{ONE}:{REF}\t[new branch]\nDone\n", "", Pushed(ONE)),
        (0, f"To x\n \t{ONE}:{REF}\t1..2\nDone\n", "", Pushed(ONE)),
        (0, f"To x\n=\t{ONE}:{REF}\t[up to date]\nDone\n", "", Pushed(ONE, was_there=True)),
        (1, f"To x\n!\t{ONE}:{REF}\t[rejected] (stale info)\nDone\n", "", Stale()),
        (1, f"!\t{ONE}:{REF}\t[remote rejected] (cannot lock ref 'x': is at 2)\n", "", Stale()),
        (1, f"!\t{ONE}:{REF}\t[remote rejected] (failed)\n", "remote: error: cannot lock ref 'x'\n", Stale()),
        (
            1,
            f"!\t{ONE}:{REF}\t[remote rejected] (protected branch hook declined)\n",
            "remote: error: GH006: Protected branch update failed.\n",
            RefusedByHost(
                "protected branch hook declined error: GH006: Protected branch update failed.",
                Refusal.PROTECTED,
            ),
        ),
        (1, f"!\t{ONE}:{REF}\t[remote failure]\n", "", Unreachable("[remote failure]", maybe_done=True)),
        (
            128,
            "",
            "fatal: Authentication failed for 'http://x/'\n",
            RefusedByHost("Authentication failed for 'http://x/'", Refusal.ACCESS),
        ),
        (
            128,
            "",
            "remote: Repository not found.\nfatal: repository 'http://x/' not found\n",
            RefusedByHost("Repository not found. repository 'http://x/' not found", Refusal.ACCESS),
        ),
        (
            128,
            "",
            "fatal: unable to access 'http://x/': The requested URL returned error: 502\n",
            Unreachable(
                "unable to access 'http://x/': The requested URL returned error: 502", maybe_done=True
            ),
        ),
        (-9, "", "", Unreachable("git ended with -9", maybe_done=True)),
    ],
)
def test_what_became_of_a_push(code: int, out: str, err: str, expected: object) -> None:
    assert read_push(code, out, err, ONE) == expected


def test_a_host_s_words_are_one_plain_line() -> None:
    said = plain(["\x1b[31mNo\x1b[0m\u202e", "", "\x1b]8;;http://evil.test\x07click\x1b]8;;\x07", "x" * 999])
    assert said.startswith("No click xxx")
    assert len(said) == WORDS_CHARS
    assert said.isprintable()

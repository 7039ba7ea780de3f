"""What we take from npm is pinned by its content; what is missing skips a test, or fails it under CI."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.npm import installed, missing

HERE = Path(__file__).parent
PACKAGES = [
    HERE / "clients",
    HERE / "linear" / "sdk",
    HERE / "bots" / "teams" / "schema",
    HERE / "github" / "examples",
    HERE / "github" / "prism",
]


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_a_lock_holds_hashes_and_no_address_of_an_index(package: Path) -> None:
    lock: dict[str, Any] = json.loads((package / "package-lock.json").read_text())
    ours, *others = lock["packages"].values()
    assert ours["dependencies"] == json.loads((package / "package.json").read_text())["dependencies"]
    assert all(each["integrity"].startswith("sha512-") for each in others)
    assert not [each for each in others if "resolved" in each]


def test_every_lock_is_looked_at() -> None:
    assert {path.parent for path in HERE.rglob("package-lock.json")} == set(PACKAGES)


def test_what_is_missing_skips_a_test_and_fails_it_where_nothing_may_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no node"):
        missing("no node")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no node"):
        missing("no node")


def test_without_node_a_test_is_skipped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(pytest.skip.Exception, match="node and npm"):
        installed(PACKAGES[0])

"""Microsoft's own schema of app manifests, from its npm package, as a second opinion on our checks."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft4Validator

from bots.teams.manifest import render_manifest
from bots.teams.package import manifest_problems
from tests.npm import installed

PACKAGE = Path(__file__).parent / "schema"
SCHEMA = "node_modules/@microsoft/app-manifest/build/json-schemas/teams/v1.30/MicrosoftTeams.schema.json"


@pytest.fixture(scope="module")
def validator() -> Draft4Validator:
    return Draft4Validator(json.loads((installed(PACKAGE) / SCHEMA).read_text(encoding="utf-8")))


def manifest() -> dict[str, Any]:
    return render_manifest("https://bot.acme.test", "b0700000-0000-4000-8000-00000000000b")


def test_microsoft_takes_our_manifest(validator: Draft4Validator) -> None:
    assert [error.message for error in validator.iter_errors(manifest())] == []


@pytest.mark.parametrize(
    "change",
    [
        lambda whole: whole.pop("accentColor"),
        lambda whole: whole["name"].update(short="x" * 31),
        lambda whole: whole["description"].update(short="x" * 81),
        lambda whole: whole["developer"].update(name="x" * 33),
        lambda whole: whole.update(id="x"),
        lambda whole: whole["bots"][0].update(botId="x"),
        lambda whole: whole["bots"][0].update(scopes=["everywhere"]),
        lambda whole: whole["bots"][0]["commandLists"][0].update(commands=[{"title": "x"}] * 13),
        lambda whole: whole["composeExtensions"][0]["commands"][0].update(title="x" * 33),
    ],
)
def test_what_microsoft_refuses_we_refuse_too(
    validator: Draft4Validator, change: Callable[[dict[str, Any]], object]
) -> None:
    whole = manifest()
    change(whole)
    assert not validator.is_valid(whole)
    assert list(manifest_problems(whole))

"""Microsoft's own schema of app manifests, from its npm package, as a second opinion on our checks."""

import json
import shutil
import subprocess
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from jsonschema import Draft4Validator

from bots.teams.manifest import render_manifest
from bots.teams.package import manifest_problems

PACKAGE = Path(__file__).parent / "schema"
CACHE = Path(__file__).parents[3] / "build" / "teams-schema"
SCHEMA = "node_modules/@microsoft/app-manifest/build/json-schemas/teams/v1.30/MicrosoftTeams.schema.json"
INSTALL_WITHIN_S = 100

pytestmark = pytest.mark.skipif(
    not (shutil.which("node") and shutil.which("npm")),
    reason="node and npm are needed for Microsoft's schema",
)


def _installed() -> Path:
    """A folder with the package that the lock names; installed once for each lock."""
    lock = (PACKAGE / "package-lock.json").read_bytes()
    folder = CACHE / sha256(lock).hexdigest()[:16]
    if folder.exists():
        return folder
    CACHE.mkdir(parents=True, exist_ok=True)
    fresh = Path(mkdtemp(dir=CACHE))
    shutil.copytree(PACKAGE, fresh, dirs_exist_ok=True)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
    done = subprocess.run(
        command, cwd=fresh, capture_output=True, text=True, check=False, timeout=INSTALL_WITHIN_S
    )
    if done.returncode:
        shutil.rmtree(fresh)
        pytest.skip(f"npm could not install Microsoft's schema: exit {done.returncode}")
    try:
        fresh.rename(folder)
    except OSError:  # Another test process was quicker.
        shutil.rmtree(fresh)
    return folder


@pytest.fixture(scope="module")
def validator() -> Draft4Validator:
    return Draft4Validator(json.loads((_installed() / SCHEMA).read_text(encoding="utf-8")))


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

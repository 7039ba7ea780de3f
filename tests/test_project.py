"""Promises of the repository as a whole: nothing in it names an index, and documents and code agree."""

import os
import re
import runpy
import subprocess
import tomllib
from pathlib import Path

import pytest

from bots.settings import load, variables
from bots.settings.environment import NOT_OURS
from core.activities import Blocker

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# In two parts, so that this file may look at itself.
INDEXES = ("py" + "pi.org", "python" + "hosted.org", "registry." + "npmjs")


def tracked_files() -> list[Path]:
    """What a clone would hold: the files git knows, or would take."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]


def documented() -> set[str]:
    return {
        name for page in PAGES for name in re.findall(r"\bTHREADLINE_[A-Z_]*[A-Z]", page.read_text("utf-8"))
    }


def test_no_file_names_a_package_index() -> None:
    texts = {path: path.read_text("utf-8", errors="replace").lower() for path in tracked_files()}
    assert [(str(path), host) for path, text in texts.items() for host in INDEXES if host in text] == []


def test_locks_are_hashed_requirements_and_nothing_else() -> None:
    assert not (ROOT / "uv.lock").exists()
    for lock in (ROOT / "requirements").glob("*.txt"):
        text = lock.read_text("utf-8")
        pins = re.findall(r"^[a-z0-9][\w.\[\]-]*==", text, re.MULTILINE | re.IGNORECASE)
        entries = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
        assert pins, lock.name
        assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []
        assert len(pins) == len(entries), lock.name
        assert "://" not in text, lock.name


def test_locks_pin_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wanted = {requirement_name(line) for line in project["project"]["dependencies"]}
    tools = {
        requirement_name(line)
        for group in project["dependency-groups"].values()
        for line in group
        if isinstance(line, str)
    }
    assert wanted <= pinned("runtime.txt")
    assert wanted | tools <= pinned("dev.txt")


def requirement_name(line: str) -> str:
    return re.split(r"[\[<>=!~; ]", line, maxsplit=1)[0].lower()


def pinned(lock: str) -> set[str]:
    text = (ROOT / "requirements" / lock).read_text("utf-8")
    return {name.lower() for name in re.findall(r"^([\w.-]+)==", text, re.MULTILINE)}


def test_runtime_and_development_use_the_same_versions() -> None:
    pins = [
        dict(
            re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "requirements" / name).read_text("utf-8"), re.MULTILINE)
        )
        for name in ("runtime.txt", "dev.txt")
    ]
    assert pins[0].items() <= pins[1].items()


def test_documents_name_only_settings_that_exist() -> None:
    assert documented() - set(variables()) - NOT_OURS == set()


def test_every_setting_is_documented() -> None:
    assert set(variables()) - documented() == set()


def test_the_readmes_example_of_the_file_is_one_that_loads(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    (tmp_path / "threadline.toml").write_text(example, "utf-8")
    (repository,) = load({}, tmp_path).repositories
    assert repository.name == "acme/shop"
    assert set(tomllib.loads(example)["repositories"][0]) == set(type(repository).model_fields)


def test_troubleshooting_knows_only_codes_that_exist() -> None:
    codes = re.findall(
        r"^\| `([a-z.]+)` \|", (ROOT / "docs" / "troubleshoot.md").read_text("utf-8"), re.MULTILINE
    )
    assert codes
    assert set(codes) <= set(Blocker)


def test_links_between_documents_lead_somewhere() -> None:
    pages = [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
    links = [(page, to) for page in pages for to in re.findall(r"\]\(([^)#:]+)\)", page.read_text("utf-8"))]
    assert [f"{page.name}: {to}" for page, to in links if not (page.parent / to).exists()] == []


@pytest.mark.parametrize("target", ["demo", "test", "check", "serve", "bench", "lock", "clean"])
def test_make_knows_the_targets_that_documents_promise(target: str) -> None:
    # Without what a make that runs this test says to makes inside of it.
    environment = {"PATH": os.environ["PATH"]}
    dry = subprocess.run(
        ["make", "-n", target], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert (dry.returncode, dry.stderr) == (0, "")


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        ("", {}),
        ("global.timeout='60'\nglobal.index-url='http://mirror/a'", {"UV_DEFAULT_INDEX": "http://mirror/a"}),
        (
            ":env:.index-url='http://mirror/env'\nglobal.index-url='http://mirror/file'",
            {"UV_DEFAULT_INDEX": "http://mirror/env"},
        ),
        (
            "install.no-index='true'\nuser.find-links='/srv/wheels\\n/srv/more'",
            {"UV_NO_INDEX": "true", "UV_FIND_LINKS": "/srv/wheels,/srv/more"},
        ),
        (
            "global.extra-index-url='file:///a file:///b'",
            {"UV_INDEX": "file:///a file:///b", "UV_INDEX_STRATEGY": "unsafe-best-match"},
        ),
    ],
    ids=["nothing", "mirror", "environment first", "offline", "more indexes"],
)
def test_uv_is_given_what_pip_is_configured_for(listed: str, expected: dict[str, str]) -> None:
    install = runpy.run_path(str(ROOT / "requirements" / "install.py"))
    assert install["from_pip"](listed) == expected


def test_ci_runs_the_command_of_the_readme() -> None:
    (command,) = re.findall(r"^(make test)\b", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    assert script.splitlines()[-1] == f"exec {command}"

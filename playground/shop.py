"""The repository that the demo and the tests work in: a small shop with a real fault and real tests."""

import subprocess
from pathlib import Path

FILES = {
    ".gitignore": "__pycache__/\n",
    "README.md": "# shop\n\nRun the tests with `python3 -m unittest -q`.\n",
    "search/__init__.py": "",
    "search/projects.py": '''\
"""The projects of the shop."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Project:
    name: str
    archived: bool = False


PROJECTS = (Project("Checkout"), Project("Checkout 2023", archived=True), Project("Returns"))
''',
    "search/issue_search.py": '''\
"""Issue search."""

from search.projects import PROJECTS, Project


def search(text: str, *, include_archived: bool = False) -> list[Project]:
    """Projects whose name holds `text`, best match first."""
    found = [one for one in PROJECTS if text.lower() in one.name.lower() and not one.archived]
    return sorted(found, key=lambda one: len(one.name))
''',
    "tests/__init__.py": "",
    "tests/test_search.py": """\
import unittest

from search.issue_search import search


class SearchTest(unittest.TestCase):
    def test_archived_projects_are_hidden(self):
        self.assertEqual([one.name for one in search("checkout")], ["Checkout"])
""",
}

FAULT = "and not one.archived]"
REPAIR = "and (include_archived or not one.archived)]"

NEW_TEST = """\
import unittest

from search.issue_search import search


class ArchivedTest(unittest.TestCase):
    def test_toggle_includes_archived_projects(self):
        names = [one.name for one in search("checkout", include_archived=True)]
        self.assertEqual(names, ["Checkout", "Checkout 2023"])
"""


def make_repository(bare: Path) -> str:
    """Create the bare repository with one commit on `main`; its file:// address."""
    tree = bare.with_name(f"{bare.name}.tree")
    for name, text in FILES.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    _git(tree, "init", "--quiet", "--initial-branch=main")
    _git(tree, "add", "--all")
    _git(tree, "commit", "--quiet", "--message=A small shop")
    _git(tree.parent, "clone", "--quiet", "--bare", str(tree), str(bare))
    return bare.absolute().as_uri()


def _git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=Eve", "-c", "user.email=eve@acme.test", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, stdin=subprocess.DEVNULL)

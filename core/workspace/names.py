"""Which names of branches and files may leave, and which deserve a second look. Pure."""

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote

BRANCH_CHARS = 200
COMPONENT_BYTES = 255
PATH_BYTES = 4096

_BRANCH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")
_BASE = re.compile(r"[^\s~^:?*\[\\\x00-\x1f\x7f-\x9f]+")
_SPECIAL = re.compile(r"(?:[A-Z]+_)?HEAD|[0-9a-fA-F]{40}(?:[0-9a-fA-F]{24})?|refs(?:/.*)?")
# Characters that one file system or another leaves out when it compares names.
_IGNORED = dict.fromkeys([*range(0x200C, 0x2010), *range(0x202A, 0x202F), *range(0x206A, 0x2070), 0xFEFF])
_SHORT = re.compile(r"git~\d+")


class Care(StrEnum):
    """Why a change deserves a second look."""

    WORKFLOW = "workflow"
    OWNERS = "code owners"
    LOCK_FILE = "lock file"
    AGENT = "agent settings"
    HOOK = "hook"
    SUBMODULE = "submodule"
    GIT = "git settings"
    BUILD = "build settings"
    LINK = "link out of the repository"


@dataclass(frozen=True, slots=True)
class Flag:
    """A changed file that deserves a second look. `detail` is safe to show: a submodule's new address."""

    path: str
    care: Care
    detail: str = ""


_OWNERS = frozenset({"codeowners", ".github/codeowners", ".gitlab/codeowners", "docs/codeowners"})
_LOCK_FILES = frozenset(
    {
        "package-lock.json",
        "npm-shrinkwrap.json",
        "yarn.lock",
        "pnpm-lock.yaml",
        "bun.lock",
        "bun.lockb",
        "deno.lock",
        "poetry.lock",
        "uv.lock",
        "pdm.lock",
        "pipfile.lock",
        "cargo.lock",
        "go.sum",
        "gemfile.lock",
        "composer.lock",
        "mix.lock",
        "packages.lock.json",
        "gradle.lockfile",
        "flake.lock",
        "package.resolved",
        "podfile.lock",
    }
)
_AGENTS = frozenset({".claude", ".codex", ".cursor", ".gemini", ".vscode", ".devcontainer"})
_AGENT_FILES = frozenset({".mcp.json", ".claude.json", "agents.md", ".cursorrules"})
_AGENT_NOTES = re.compile(r"claude.*\.md")
_HOOKS = frozenset({".husky", ".githooks", ".hooks"})
_HOOK_FILES = frozenset({".pre-commit-config.yaml", "lefthook.yml", ".lefthook.yml", ".envrc"})
_GIT_FILES = frozenset({".gitattributes", ".lfsconfig"})
_BUILD_FILES = re.compile(r"dockerfile.*|\.npmrc|\.env.*")


def is_own_branch(name: str) -> bool:
    """Whether we may make a branch of this name: letters, digits and `._/-`, nothing that git reads twice."""
    return (
        len(name) <= BRANCH_CHARS
        and _BRANCH.fullmatch(name) is not None
        and not _SPECIAL.fullmatch(name)
        and not name.endswith((".", "/"))
        and ".." not in name
        and all(part and part[0] not in ".-" and not part.endswith(".lock") for part in name.split("/"))
    )


def is_branch(name: str) -> bool:
    """Whether a repository may have a branch of this name: what its owners call theirs is theirs."""
    return (
        len(name.encode(errors="replace")) <= COMPONENT_BYTES
        and _BASE.fullmatch(name) is not None
        and name.isprintable()
        and name != "@"
        and "@{" not in name
        and not _SPECIAL.fullmatch(name)
        and not name.startswith("-")
        and not name.endswith((".", "/"))
        and ".." not in name
        and all(part and part[0] != "." and not part.endswith(".lock") for part in name.split("/"))
    )


def path_problem(path: bytes) -> str:
    """What speaks against a new file of this name, for people; "" if nothing does."""
    try:
        text = path.decode()
    except UnicodeDecodeError:
        return "its name is not UTF-8"
    parts = re.split(r"[/\\]", text)
    if any(unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp", "Cs", "Co") for char in text):
        return "its name holds invisible characters"
    if len(path) > PATH_BYTES or any(len(part.encode()) > COMPONENT_BYTES for part in parts):
        return "its name is too long"
    if not all(parts) or any(part in (".", "..") for part in parts) or re.match(r"[A-Za-z]:", text):
        return "its name leads out of the repository"
    if any(is_git_folder(part) for part in parts):
        return "its name could be taken for git's own folder"
    return ""


def looks_like_git(name: str) -> bool:
    """Whether a name, or what another system reads as a part of it, is git's own folder."""
    return any(is_git_folder(part) for part in name.split("\\"))


def is_git_folder(part: str) -> bool:
    """Whether one part of a path is `.git` on any file system: other case, ignored characters, short form."""
    seen = unicodedata.normalize("NFKC", part.translate(_IGNORED)).casefold().partition(":")[0].rstrip(" .")
    return seen == ".git" or _SHORT.fullmatch(seen) is not None


def care_for(path: str) -> Care | None:
    """Why a changed file deserves a second look, None for an ordinary one."""
    lower = path.lower()
    *folders, name = lower.split("/")
    if lower.startswith((".github/workflows/", ".github/actions/")) or name == ".gitlab-ci.yml":
        return Care.WORKFLOW
    for care, is_meant in (
        (Care.OWNERS, lower in _OWNERS),
        (Care.SUBMODULE, name == ".gitmodules"),
        (Care.AGENT, bool(_AGENTS & set(folders)) or name in _AGENT_FILES or _AGENT_NOTES.fullmatch(name)),
        (Care.HOOK, bool(_HOOKS & set(folders)) or name in _HOOK_FILES),
        (Care.GIT, name in _GIT_FILES),
        (Care.LOCK_FILE, name in _LOCK_FILES or bool(re.fullmatch(r"requirements.*\.txt", name))),
        (Care.BUILD, _BUILD_FILES.fullmatch(name)),
    ):
        if is_meant:
            return care
    return None


def leads_out(path: str, target: str) -> bool:
    """Whether a symbolic link at `path` points out of the repository."""
    if target.startswith(("/", "\\", "~")) or re.match(r"[A-Za-z]:", target):
        return True
    depth = path.count("/")
    for part in target.split("/"):
        depth += -1 if part == ".." else part not in ("", ".")
        if depth < 0:
            return True
    return False


def shown(path: bytes | str) -> str:
    """A name as people may safely read it, at most 120 characters, in one line."""
    text = path.decode(errors="backslashreplace") if isinstance(path, bytes) else path
    safe = "".join(
        char if char.isprintable() and char != "`" else quote(char, errors="replace") for char in text
    )
    return safe if len(safe) <= 120 else f"…{safe[-119:]}"

"""Finds secrets in lines that are about to leave; says where and of what kind, never what. Pure."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from core.redact import Redactor
from core.workspace.names import shown
from core.workspace.patches import Added

KNOWN = "a secret of this service"

_B64 = "[A-Za-z0-9+/]"
_WORD = "[A-Za-z0-9]"
_EDGE = r"(?<![A-Za-z0-9_-])"
# What documentation writes where a secret would stand.
_EXAMPLE = re.compile(
    r"example|placeholder|changeme|your[_-]|redacted|dummy|xxxx|(.)\1{7}|1234567890|abcdefghij|\$\{|\{\{|<[a-z_-]+>",
    re.IGNORECASE,
)
_EXAMPLE_LOGIN = re.compile(
    r":(?:pass(?:word|wd)?|secret|pw|token|test|postgres|root|admin|guest)@|[${<*]", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Found:
    """A secret in a file: the number of its line, 0 for one in its name, and what kind it is.

    `path` is without secrets itself.
    """

    path: bytes
    line: int
    kind: str

    @property
    def place(self) -> str:
        """Where it is, as people may read it."""
        return f"{shown(self.path)}:{self.line}" if self.line else f"the name of {shown(self.path)}"

    def __str__(self) -> str:
        return f"{self.place} ({self.kind})"


@dataclass(frozen=True, slots=True)
class _Shape:
    """`clues`: one of them is in every match; looking for them first is what makes this fast."""

    kind: str
    clues: tuple[str, ...]
    pattern: re.Pattern[str]
    example: re.Pattern[str] = _EXAMPLE


def _shape(kind: str, clues: str, pattern: str, example: re.Pattern[str] = _EXAMPLE) -> _Shape:
    return _Shape(kind, tuple(clues.split()), re.compile(pattern), example)


_SHAPES = (
    _shape("GitHub token", "ghp_ gho_ ghs_ ghr_ ghu_", rf"{_EDGE}gh[opsur]_[A-Za-z0-9._-]{{20,}}"),
    _shape("GitHub token", "github_pat_", rf"{_EDGE}github_pat_{_WORD}{{22}}_{_WORD}{{40,}}"),
    _shape("GitLab token", "glpat- gldt- glrt-", rf"{_EDGE}gl(?:pat|dt|rt)-[A-Za-z0-9_-]{{20,}}"),
    _shape("Slack token", "xox", rf"{_EDGE}xox[abeoprs](?:\.xox[bp])?-[A-Za-z0-9-]{{20,}}"),
    _shape("Slack token", "xapp-", rf"{_EDGE}xapp-\d-[A-Z0-9]+-\d+-[a-f0-9]{{32,}}"),
    _shape(
        "Slack webhook",
        "hooks.slack.com/",
        r"hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9/_-]{20,}",
    ),
    _shape("Linear key", "lin_", rf"{_EDGE}lin_(?:api|oauth|wh)_{_WORD}{{20,}}"),
    _shape("Anthropic key", "sk-ant-", rf"{_EDGE}sk-ant-[a-z]+\d\d-[A-Za-z0-9_-]{{20,}}"),
    _shape(
        "OpenAI key",
        "sk-",
        rf"{_EDGE}sk-(?:(?:proj|svcacct|admin)-[A-Za-z0-9_-]{{40,}}|{_WORD}{{48}}(?!{_WORD}))",
    ),
    _shape("AWS key", "AKIA ASIA", rf"{_EDGE}(?:AKIA|ASIA)[A-Z2-7]{{16}}(?![A-Za-z0-9])"),
    _shape(
        "AWS key", "aws AWS", rf"(?i:aws_?secret_?(?:access_?)?key)\W{{1,8}}{_B64}{{40}}(?![A-Za-z0-9+/=])"
    ),
    _shape("Google key", "AIza", rf"{_EDGE}AIza[A-Za-z0-9_-]{{35}}(?![A-Za-z0-9_-])"),
    _shape("Google key", "GOCSPX-", rf"{_EDGE}GOCSPX-[A-Za-z0-9_-]{{28}}"),
    _shape(
        "Azure key", "AccountKey= SharedAccessKey=", rf"(?:Account|SharedAccess)Key={_B64}{{40,}}={{0,2}}"
    ),
    _shape("npm token", "npm_", rf"{_EDGE}npm_{_WORD}{{36}}(?!{_WORD})"),
    _shape("PyPI token", "pypi-", r"pypi-AgE[A-Za-z0-9_-]{50,}"),
    _shape("Stripe key", "_live_", rf"{_EDGE}[sr]k_live_{_WORD}{{20,}}"),
    _shape("SendGrid key", "SG.", rf"{_EDGE}SG\.[A-Za-z0-9_-]{{22}}\.[A-Za-z0-9_-]{{43}}"),
    _shape("Hugging Face token", "hf_", rf"{_EDGE}hf_[A-Za-z]{{34,}}(?!{_WORD})"),
    _shape("DigitalOcean token", "_v1_", rf"{_EDGE}do[opr]_v1_[a-f0-9]{{64}}"),
    _shape("Shopify token", "shp", rf"{_EDGE}shp(?:at|ca|pa|ss)_[a-fA-F0-9]{{32}}"),
    _shape("Telegram token", ":AA", rf"(?<!{_WORD})\d{{8,10}}:AA[A-Za-z0-9_-]{{33}}(?![A-Za-z0-9_-])"),
    _shape(
        "login in an address",
        "://",
        r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/@:\"'<>]{1,100}:[^\s/@\"'<>]{6,200}@[A-Za-z0-9\[]",
        _EXAMPLE_LOGIN,
    ),
    _shape("private key", "PRIVATE KEY", r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----"),
)
KINDS = tuple(dict.fromkeys(shape.kind for shape in _SHAPES))

_patterns = Redactor()


def secrets_in(files: Iterable[Added], redact: Callable[[str], str] = _patterns) -> Iterator[Found]:
    """Every line that holds a secret, once for each kind; in UTF-16 and UTF-32 as well.

    Args:
        redact: Takes the exact values of secrets out of a text, and what `Redactor` takes out by itself.
    """
    for file in files:
        # Wider characters are those of ASCII and zeros, whatever comes first.
        lines = [(number, line.replace("\0", "")) for number, line in file.lines]
        path = _hidden(file.path, redact)
        text = "\n".join(line for _, line in lines)
        suspects = [shape for shape in _SHAPES if any(clue in text for clue in shape.clues)]
        holds_ours = redact is not _patterns and redact(text) != _patterns(text)
        if not suspects and not holds_ours:
            continue
        found = dict[Found, None]()
        for number, line in lines:
            # What differs is what only an exact value explains.
            if holds_ours and redact(line) != _patterns(line):
                found[Found(path, number, KNOWN)] = None
            for shape in suspects:
                if any(not shape.example.search(match[0]) for match in shape.pattern.finditer(line)):
                    found[Found(path, number, shape.kind)] = None
        yield from found


def secrets_in_names(paths: Iterable[bytes], redact: Callable[[str], str] = _patterns) -> Iterator[Found]:
    """Every name of a file that holds a secret, once for each kind."""
    for path in dict.fromkeys(paths):
        name = Added(path, ((0, path.decode(errors="replace")),))
        yield from secrets_in([name], redact)


def _hidden(path: bytes, redact: Callable[[str], str]) -> bytes:
    """A name without what looks like a secret in it."""
    text = redact(path.decode(errors="surrogateescape"))
    for shape in _SHAPES:
        if any(clue in text for clue in shape.clues):
            text = shape.pattern.sub("…", text)
    return text.encode(errors="surrogateescape")

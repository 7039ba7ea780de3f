"""The GraphQL documents we send, one operation per file, read when this package is imported."""

import re
from collections.abc import Mapping
from importlib.resources import files
from types import MappingProxyType

_FRAGMENT = re.compile(r"^fragment (\w+) on ", re.MULTILINE)
_SPREAD = re.compile(r"\.\.\.(\w+)")


def _load() -> Mapping[str, str]:
    texts = {
        file.name.removesuffix(".graphql"): file.read_text(encoding="utf-8")
        for file in files(__name__).iterdir()
        if file.name.endswith(".graphql")
    }
    fragments = _split_fragments(texts.pop("fragments"))
    return MappingProxyType(
        {_operation(name): _with_fragments(text, fragments) for name, text in texts.items()}
    )


def _operation(file_name: str) -> str:
    return "".join(word.capitalize() for word in file_name.split("_"))


def _split_fragments(text: str) -> dict[str, str]:
    starts = [*_FRAGMENT.finditer(text)]
    ends = [start.start() for start in starts[1:]] + [len(text)]
    return {start[1]: text[start.start() : end] for start, end in zip(starts, ends, strict=True)}


def _with_fragments(text: str, fragments: Mapping[str, str]) -> str:
    # A document that defines a fragment it does not use is invalid; one fragment may spread another.
    used: dict[str, str] = {}
    waiting = _SPREAD.findall(text)
    while waiting:
        name = waiting.pop()
        if name in fragments and name not in used:
            used[name] = fragments[name]
            waiting += _SPREAD.findall(fragments[name])
    return "\n".join([text, *(used[name] for name in sorted(used))])


DOCUMENTS: Mapping[str, str] = _load()
"""Every document by the name of its operation: `pull_facts.graphql` is `PullFacts`."""

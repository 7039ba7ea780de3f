"""GitHub's own description of its API, cut down to what we use: `python -m tests.github.contract.subset`.

Fetches the pinned packages with npm and writes beside itself `openapi.json` (our operations without prose),
`schema.graphql` (types and fields of our documents) and `sources.json`, which says what was cut from what.
Both packages: MIT License, copyright Octokit contributors; see `NOTICE`.
"""

import json
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from graphql import (
    FieldNode,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    build_schema,
    get_named_type,
    is_specified_scalar_type,
    parse,
    visit,
)

from github.queries import DOCUMENTS

HERE: Final = Path(__file__).parent
OPENAPI: Final = ("@octokit/openapi@23.0.2", "package/generated/api.github.com.json")
GRAPHQL: Final = ("@octokit/graphql-schema@15.26.1", "package/schema.graphql")
MAX_BYTES: Final = 200_000

OPERATIONS: Final = frozenset(
    {
        "actions/download-job-logs-for-workflow-run",
        "actions/list-jobs-for-workflow-run",
        "actions/re-run-workflow-failed-jobs",
        "apps/check-token",
        "apps/create-installation-access-token",
        "apps/delete-authorization",
        "apps/get-authenticated",
        "apps/get-repo-installation",
        "apps/list-installations",
        "apps/list-webhook-deliveries",
        "apps/redeliver-webhook-delivery",
        "checks/create",
        "checks/list-annotations",
        "checks/list-for-ref",
        "checks/update",
        "git/delete-ref",
        "git/get-ref",
        "issues/create-comment",
        "issues/list-comments",
        "issues/update-comment",
        "meta/root",
        "pulls/create",
        "pulls/create-reply-for-review-comment",
        "pulls/create-review",
        "pulls/dismiss-review",
        "pulls/get",
        "pulls/get-merge-async-result",
        "pulls/list",
        "pulls/list-files",
        "pulls/list-review-comments",
        "pulls/list-reviews",
        "pulls/merge",
        "pulls/merge-async",
        "pulls/request-reviewers",
        "pulls/update",
        "pulls/update-branch",
        "rate-limit/get",
        "repos/codeowners-errors",
        "repos/get",
        "repos/get-branch",
        "repos/get-branch-rules",
        "repos/get-collaborator-permission-level",
        "repos/get-combined-status-for-ref",
        "users/get-authenticated",
        "users/get-by-id",
        "users/get-by-username",
        "users/list-emails-for-authenticated-user",
    }
)

_METHODS: Final = frozenset({"get", "put", "post", "patch", "delete"})
_PROSE: Final = frozenset(
    {"description", "summary", "title", "example", "examples", "externalDocs", "x-github", "headers", "tags"}
)
_NAMED: Final = frozenset({"properties", "schemas", "responses", "parameters", "paths", "content"})
"""Under these, keys are names and not words of the format."""

Wire = dict[str, Any]


def openapi_subset(whole: Wire) -> Wire:
    """Our operations, everything that they refer to, and no word of prose."""
    found = {
        operation["operationId"]: (path, method, operation)
        for path, methods in whole["paths"].items()
        for method, operation in methods.items()
        if method in _METHODS
    }
    if absent := OPERATIONS - found.keys():
        raise KeyError(f"not in this version: {sorted(absent)}")
    paths: dict[str, Wire] = {}
    for name in sorted(OPERATIONS):
        path, method, operation = found[name]
        paths.setdefault(path, {})[method] = _stripped(operation)
    components: dict[str, Wire] = {}
    for section, name in sorted(_referred(whole, paths)):
        components.setdefault(section, {})[name] = _stripped(whole["components"][section][name])
    info = {"title": whole["info"]["title"], "version": whole["info"]["version"]}
    servers = [{"url": "https://api.github.com"}]
    return {
        "openapi": whole["openapi"],
        "info": info,
        "servers": servers,
        "paths": paths,
        "components": components,
    }


def _referred(whole: Wire, paths: object) -> set[tuple[str, str]]:
    needed: set[tuple[str, str]] = set()
    waiting = [*_references(paths)]
    while waiting:
        section, name = waiting.pop()
        if (section, name) not in needed:
            needed.add((section, name))
            waiting += _references(_stripped(whole["components"][section][name]))
    return needed


def _references(node: object) -> Iterator[tuple[str, str]]:
    if isinstance(node, dict):
        reference = node.get("$ref")
        if isinstance(reference, str):
            _, _, section, name = reference.split("/")
            yield section, name
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _references(child)


def _stripped(node: Any, *, names: bool = False) -> Any:
    if isinstance(node, list):
        return [_stripped(child) for child in node]
    if not isinstance(node, dict):
        return node
    kept = {key: value for key, value in node.items() if names or key not in _PROSE}
    if "application/json" in kept:  # The other content types say nothing about what we read.
        kept = {"application/json": kept["application/json"]}
    return {key: _stripped(value, names=not names and key in _NAMED) for key, value in kept.items()}


class _Uses(Visitor):
    """Which fields of which types a document selects."""

    def __init__(self, types: TypeInfo, fields: dict[str, set[str]]) -> None:
        super().__init__()
        self._types = types
        self._fields = fields

    def enter_field(self, node: FieldNode, *_: object) -> None:
        parent = self._types.get_parent_type()
        if parent is not None and not node.name.value.startswith("__"):
            self._fields.setdefault(parent.name, set()).add(node.name.value)


def graphql_subset(sdl: str, documents: Mapping[str, str]) -> str:
    """The types that `documents` need, with the fields that they select; inputs and enums whole."""
    schema = build_schema(sdl, assume_valid=True)
    fields: dict[str, set[str]] = {}
    for document in documents.values():
        types = TypeInfo(schema)
        visit(parse(document), TypeInfoVisitor(types, _Uses(types, fields)))
    _share_with_interfaces(schema, fields)
    needed = _closure(schema, fields)
    blocks = [_printed(schema.type_map[name], fields.get(name, set()), needed) for name in sorted(needed)]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _share_with_interfaces(schema: GraphQLSchema, fields: dict[str, set[str]]) -> None:
    """What is selected on an interface must exist on the types behind it that a document names."""
    for name in list(fields):
        type_ = schema.type_map[name]
        if isinstance(type_, GraphQLObjectType):
            for interface in type_.interfaces:
                fields[name] |= fields.get(interface.name, set())


def _closure(schema: GraphQLSchema, fields: Mapping[str, set[str]]) -> set[str]:
    needed: set[str] = set()
    waiting = [*fields]
    while waiting:
        name = waiting.pop()
        if name in needed:
            continue
        needed.add(name)
        waiting += (type_.name for type_ in _behind(schema.type_map[name], fields.get(name, set())))
    return needed


def _behind(type_: GraphQLNamedType, selected: set[str]) -> Iterator[GraphQLNamedType]:
    if isinstance(type_, GraphQLInputObjectType):
        yield from (get_named_type(field.type) for field in type_.fields.values())
    if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
        for name, field in type_.fields.items():
            if name in selected:
                yield get_named_type(field.type)
                yield from (get_named_type(argument.type) for argument in field.args.values())


def _printed(type_: GraphQLNamedType, selected: set[str], needed: set[str]) -> str:
    match type_:
        case GraphQLUnionType():
            members = sorted(each.name for each in type_.types if each.name in needed)
            return f"union {type_.name} = {' | '.join(members)}"
        case GraphQLEnumType():
            return _block("enum", type_.name, sorted(type_.values))
        case GraphQLInputObjectType():
            lines = [f"{name}: {field.type}" for name, field in sorted(type_.fields.items())]
            return _block("input", type_.name, lines)
        case GraphQLObjectType() | GraphQLInterfaceType():
            keyword = "interface" if isinstance(type_, GraphQLInterfaceType) else "type"
            behind = " & ".join(each.name for each in type_.interfaces if each.name in needed)
            name = f"{type_.name} implements {behind}" if behind else type_.name
            return _block(keyword, name, [_field(each, type_) for each in sorted(selected)])
        case _:
            return "" if is_specified_scalar_type(type_) else f"scalar {type_.name}"


def _field(name: str, type_: GraphQLObjectType | GraphQLInterfaceType) -> str:
    field = type_.fields[name]
    arguments = ", ".join(f"{key}: {argument.type}" for key, argument in sorted(field.args.items()))
    return f"{name}({arguments}): {field.type}" if arguments else f"{name}: {field.type}"


def _block(keyword: str, name: str, lines: list[str]) -> str:
    return "\n".join([f"{keyword} {name} {{", *(f"  {line}" for line in lines), "}"])


def _fetched(package: str, member: str, folder: Path) -> tuple[bytes, str]:
    """One file of a package, and the hash of the package as npm tells it."""
    packed = subprocess.run(
        ["npm", "pack", package, "--json", "--loglevel=error"],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    told = json.loads(packed.stdout)[0]
    with tarfile.open(folder / told["filename"]) as archive:
        file = archive.extractfile(member)
        if file is None:
            raise KeyError(f"{package} has no {member}")
        return file.read(), told["integrity"]


def main() -> None:
    """Write the three files; look at the difference before you keep it."""
    with TemporaryDirectory() as folder:
        rest, rest_integrity = _fetched(*OPENAPI, Path(folder))
        sdl, sdl_integrity = _fetched(*GRAPHQL, Path(folder))
    parts = {
        "openapi.json": json.dumps(openapi_subset(json.loads(rest)), separators=(",", ":"), sort_keys=True),
        "schema.graphql": graphql_subset(sdl.decode(), DOCUMENTS),
    }
    sources = []
    pairs = ((OPENAPI, rest, rest_integrity), (GRAPHQL, sdl, sdl_integrity))
    for (name, text), ((package, member), source, integrity) in zip(parts.items(), pairs, strict=True):
        cut = f"{text.rstrip()}\n".encode()
        if len(cut) > MAX_BYTES:
            raise ValueError(f"{name} has {len(cut)} bytes")
        (HERE / name).write_bytes(cut)
        hashes = {"sha256": sha256(cut).hexdigest(), "source_sha256": sha256(source).hexdigest()}
        sources.append({"file": name, "package": package, "integrity": integrity, "member": member} | hashes)
        sys.stdout.write(f"{name}: {len(cut)} bytes of {len(source)}\n")
    (HERE / "sources.json").write_text(json.dumps(sources, indent=2) + "\n")


if __name__ == "__main__":
    main()

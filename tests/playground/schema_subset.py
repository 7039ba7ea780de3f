"""Judges whether one GraphQL schema is a strict subset of another, by their parsed definitions."""

from collections.abc import Iterable, Iterator

from graphql import (
    DocumentNode,
    EnumTypeDefinitionNode,
    FieldDefinitionNode,
    InputObjectTypeDefinitionNode,
    InputValueDefinitionNode,
    NonNullTypeNode,
    ObjectTypeDefinitionNode,
    UnionTypeDefinitionNode,
    parse,
    print_ast,
)
from graphql.language.ast import TypeDefinitionNode


def differences(subset: str, full: str) -> list[str]:
    """Every way in which the SDL `subset` claims something that the SDL `full` does not; empty if none."""
    real = _definitions(parse(full, no_location=True))
    found: list[str] = []
    for name, definition in _definitions(parse(subset, no_location=True)).items():
        if name not in real:
            found.append(f"{name} does not exist")
        elif type(definition) is not type(real[name]):
            found.append(f"{name} is of another kind")
        else:
            found.extend(f"{name}{problem}" for problem in _compare(definition, real[name]))
    return found


def _definitions(document: DocumentNode) -> dict[str, TypeDefinitionNode]:
    return {each.name.value: each for each in document.definitions if isinstance(each, TypeDefinitionNode)}


def _compare(ours: TypeDefinitionNode, real: TypeDefinitionNode) -> Iterator[str]:
    match ours, real:
        case ObjectTypeDefinitionNode(), ObjectTypeDefinitionNode():
            yield from _fields(ours.fields, real.fields)
        case InputObjectTypeDefinitionNode(), InputObjectTypeDefinitionNode():
            yield from _values(ours.fields, real.fields)
        case EnumTypeDefinitionNode(), EnumTypeDefinitionNode():
            yield from _missing(_values_of(ours), _values_of(real))
        case UnionTypeDefinitionNode(), UnionTypeDefinitionNode():
            yield from _missing(_members_of(ours), _members_of(real))
        case _:  # Scalars have nothing inside.
            return


def _fields(ours: Iterable[FieldDefinitionNode], real: Iterable[FieldDefinitionNode]) -> Iterator[str]:
    known = {each.name.value: each for each in real}
    for field in ours:
        name = field.name.value
        if name not in known:
            yield f".{name} does not exist"
            continue
        if print_ast(field.type) != print_ast(known[name].type):
            yield f".{name} is {print_ast(known[name].type)}"
        for problem in _values(field.arguments, known[name].arguments):
            yield f".{name}{problem}"


def _values(
    ours: Iterable[InputValueDefinitionNode], real: Iterable[InputValueDefinitionNode]
) -> Iterator[str]:
    """Arguments or input fields: each must exist with the same type, and no required one may be left out."""
    known = {each.name.value: each for each in real}
    named = {each.name.value: each for each in ours}
    yield from _missing(named, known)
    for name, value in known.items():
        if name in named and print_ast(named[name].type) != print_ast(value.type):
            yield f".{name} is {print_ast(value.type)}"
        is_required = isinstance(value.type, NonNullTypeNode) and value.default_value is None
        if name not in named and is_required:
            yield f".{name} is required"


def _missing(ours: Iterable[str], real: Iterable[str]) -> Iterator[str]:
    known = set(real)
    return (f".{name} does not exist" for name in ours if name not in known)


def _values_of(enum: EnumTypeDefinitionNode) -> list[str]:
    return [value.name.value for value in enum.values]


def _members_of(union: UnionTypeDefinitionNode) -> list[str]:
    return [member.name.value for member in union.types]

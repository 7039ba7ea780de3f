"""GraphQL documents, their variables and the data that answers them, against GitHub's own schema."""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLEnumType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLUnionType,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    build_schema,
    get_operation_root_type,
    parse,
    validate,
)
from graphql.execution.values import get_variable_values

SCHEMA: Final = Path(__file__).parent / "schema.graphql"

_KINDS: Final[Mapping[str, tuple[type, ...]]] = {
    "Int": (int,),
    "Float": (int, float),
    "Boolean": (bool,),
    "String": (str,),
    "ID": (str,),
}


@cache
def schema() -> GraphQLSchema:
    """GitHub's types, as far as our documents use them."""
    return build_schema(SCHEMA.read_text(encoding="utf-8"))


@cache
def _operation(document: str) -> tuple[OperationDefinitionNode, Mapping[str, FragmentDefinitionNode]]:
    parsed = parse(document)
    errors = validate(schema(), parsed)
    assert not errors, "; ".join(error.message for error in errors)
    found = [part for part in parsed.definitions if isinstance(part, OperationDefinitionNode)]
    assert len(found) == 1, f"one operation is sent, not {len(found)}"
    fragments = {
        part.name.value: part for part in parsed.definitions if isinstance(part, FragmentDefinitionNode)
    }
    return found[0], fragments


def check_graphql_request(body: object) -> None:
    """Is `body` a request that GitHub's schema takes: valid document, variables of the right types?

    Raises:
        AssertionError: No; it says why.
    """
    assert isinstance(body, dict), f"a GraphQL request is an object, not {body!r}"
    assert body.keys() <= {"query", "variables", "operationName"}, sorted(body)
    operation, _ = _operation(body["query"])
    variables = body.get("variables") or {}
    names = {each.variable.name.value for each in operation.variable_definitions}
    assert variables.keys() <= names, f"unknown variables {sorted(variables.keys() - names)}"
    coerced = get_variable_values(schema(), operation.variable_definitions, variables)
    assert isinstance(coerced, dict), "; ".join(error.message for error in coerced)


def check_graphql_data(document: str, data: object) -> None:
    """Does `data` have what `document` selects, no more, and of the right types?

    Raises:
        AssertionError: No; it says where.
    """
    operation, fragments = _operation(document)
    root = get_operation_root_type(schema(), operation)
    _check_object("data", data, root, operation.selection_set, fragments)


def _check_object(
    where: str,
    value: object,
    type_: GraphQLObjectType,
    selections: SelectionSetNode,
    fragments: Mapping[str, FragmentDefinitionNode],
) -> None:
    assert isinstance(value, dict), f"{where}: {value!r} is no {type_.name}"
    wanted: dict[str, list[FieldNode]] = {}
    for field in _fields(type_, selections, fragments):
        wanted.setdefault(field.alias.value if field.alias else field.name.value, []).append(field)
    assert value.keys() == wanted.keys(), f"{where}: {sorted(value.keys() ^ wanted.keys())} wrong or absent"
    for name, nodes in wanted.items():
        for node in nodes:
            if node.name.value == "__typename":
                assert value[name] == type_.name, f"{where}.{name}: {value[name]!r} is not {type_.name}"
                continue
            inner = type_.fields[node.name.value].type
            _check_value(f"{where}.{name}", value[name], inner, node, fragments)


def _fields(
    type_: GraphQLObjectType,
    selections: SelectionSetNode,
    fragments: Mapping[str, FragmentDefinitionNode],
) -> Iterator[FieldNode]:
    for node in selections.selections:
        match node:
            case FieldNode():
                yield node
            case InlineFragmentNode(type_condition=condition):
                if _fits(type_, condition.name.value):
                    yield from _fields(type_, node.selection_set, fragments)
            case _:
                assert isinstance(node, FragmentSpreadNode)
                fragment = fragments[node.name.value]
                if _fits(type_, fragment.type_condition.name.value):
                    yield from _fields(type_, fragment.selection_set, fragments)


def _fits(type_: GraphQLObjectType, name: str) -> bool:
    return name == type_.name or name in {interface.name for interface in type_.interfaces}


def _check_value(
    where: str,
    value: object,
    type_: GraphQLOutputType,
    node: FieldNode,
    fragments: Mapping[str, FragmentDefinitionNode],
) -> None:
    if isinstance(type_, GraphQLNonNull):
        assert value is not None, f"{where}: is never null"
        type_ = type_.of_type
    if value is None:
        return
    match type_:
        case GraphQLList():
            assert isinstance(value, list), f"{where}: {value!r} is no list"
            for index, each in enumerate(value):
                _check_value(f"{where}[{index}]", each, type_.of_type, node, fragments)
        case GraphQLObjectType() | GraphQLInterfaceType() | GraphQLUnionType():
            assert node.selection_set is not None
            _check_object(where, value, _concrete(where, value, type_), node.selection_set, fragments)
        case GraphQLScalarType(name=name):
            kinds = _KINDS.get(name, (str,))
            is_right = isinstance(value, kinds) and isinstance(value, bool) == (name == "Boolean")
            assert is_right, f"{where}: {value!r} is no {name}"
        case _:
            assert isinstance(type_, GraphQLEnumType)
            assert value in type_.values, f"{where}: {value!r} is no {type_.name}"


def _concrete(where: str, value: object, type_: Any) -> GraphQLObjectType:
    if isinstance(type_, GraphQLObjectType):
        return type_
    told = value.get("__typename") if isinstance(value, dict) else None
    possible = {each.name: each for each in schema().get_possible_types(type_)}
    assert told in possible, f"{where}: __typename {told!r} is none of {sorted(possible)}"
    return possible[told]

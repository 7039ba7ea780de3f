"""Requests to the GraphQL endpoint: parsed and validated once, priced in complexity points."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    NamedTypeNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    get_operation_ast,
    is_leaf_type,
    parse,
    validate,
)

PROPERTY_POINTS = 0.1
OBJECT_POINTS = 1.0
DEFAULT_PAGE = 50


@dataclass(frozen=True, slots=True)
class Document:
    """A request's text, understood; `errors` is empty if it is valid."""

    ast: DocumentNode | None
    errors: tuple[GraphQLError, ...] = ()
    code: str = ""

    def operation(self, name: str | None) -> OperationDefinitionNode | None:
        """The operation to run; None if the name fits none, or several without a name."""
        return get_operation_ast(self.ast, name) if self.ast else None


def document_reader(schema: GraphQLSchema) -> Callable[[str], Document]:
    """A function from text to `Document` that remembers what it has read."""

    @lru_cache(maxsize=256)
    def read(text: str) -> Document:
        try:
            ast = parse(text)
        except GraphQLError as error:
            return Document(None, (error,), "GRAPHQL_PARSE_FAILED")
        errors = tuple(validate(schema, ast))
        return Document(ast, errors, "GRAPHQL_VALIDATION_FAILED" if errors else "")

    return read


def names_of(operation: OperationDefinitionNode) -> set[str]:
    """The operation's own name and the root fields it asks for."""
    fields = {each.name.value for each in operation.selection_set.selections if isinstance(each, FieldNode)}
    return fields | ({operation.name.value} if operation.name else set())


def complexity(
    schema: GraphQLSchema, ast: DocumentNode, operation: OperationDefinitionNode, variables: Mapping[str, Any]
) -> int:
    """Points of a valid request: 0.1 a property, 1 an object, a connection's content times page size."""
    root = schema.get_root_type(operation.operation)
    if root is None:
        return 0
    fragments = {
        each.name.value: each for each in ast.definitions if isinstance(each, FragmentDefinitionNode)
    }
    points = _Pricing(schema, fragments, variables).selection(operation.selection_set, root)
    return math.ceil(round(points, 3))  # Sums of 0.1 would overshoot by a hair.


@dataclass(frozen=True, slots=True)
class _Pricing:
    schema: GraphQLSchema
    fragments: Mapping[str, FragmentDefinitionNode]
    variables: Mapping[str, Any]

    def selection(self, selected: SelectionSetNode, parent: object) -> float:
        return sum(self._one(each, parent) for each in selected.selections)

    def _one(self, node: object, parent: object) -> float:
        match node:
            case FieldNode():
                return self._field(node, parent)
            case InlineFragmentNode():
                return self.selection(node.selection_set, self._condition(node) or parent)
            case FragmentSpreadNode():
                fragment = self.fragments[node.name.value]
                kind = self.schema.get_type(fragment.type_condition.name.value)
                return self.selection(fragment.selection_set, kind)
            case _:
                return 0.0

    def _condition(self, node: InlineFragmentNode) -> object:
        name: NamedTypeNode | None = node.type_condition
        return None if name is None else self.schema.get_type(name.name.value)

    def _field(self, node: FieldNode, parent: object) -> float:
        if not isinstance(parent, GraphQLObjectType | GraphQLInterfaceType):
            return PROPERTY_POINTS  # Only __typename can stand on a union.
        field = parent.fields.get(node.name.value)
        if field is None or node.selection_set is None or is_leaf_type(get_named_type(field.type)):
            return PROPERTY_POINTS
        kind = get_named_type(field.type)
        content = self.selection(node.selection_set, kind)
        if kind.name.endswith("Connection"):
            return self._page_size(node) * content
        return OBJECT_POINTS + content

    def _page_size(self, node: FieldNode) -> int:
        sizes = [self._integer(each.value) for each in node.arguments if each.name.value in ("first", "last")]
        return max((size for size in sizes if size is not None), default=DEFAULT_PAGE)

    def _integer(self, value: object) -> int | None:
        match value:
            case IntValueNode():
                return int(value.value)
            case VariableNode():
                given = self.variables.get(value.name.value)
                return given if isinstance(given, int) else None
            case _:
                return None

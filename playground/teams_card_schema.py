"""Which elements and actions Teams renders in Adaptive Cards 1.5, and what each takes. Pure data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

NestedKind = Literal[
    "element", "action", "column", "row", "cell", "inline", "fact", "choice", "image", "card"
]

_ELEMENT: Final = "id isVisible separator spacing height fallback requires targetWidth"
_CONTAINER: Final = "style verticalContentAlignment bleed backgroundImage minHeight rtl selectAction"
_INPUT: Final = "label isRequired errorMessage"
_ACTION: Final = "title iconUrl id style fallback tooltip isEnabled mode requires role"
_FONT: Final = "color fontType isSubtle size weight"


@dataclass(frozen=True, slots=True)
class Shape:
    """One type: `needed` texts and lists, `allowed` beside them, and what its properties hold (`nested`)."""

    needed: frozenset[str]
    allowed: frozenset[str]
    nested: Mapping[str, NestedKind]


def _shape(needed: str = "", allowed: str = "", **nested: NestedKind) -> Shape:
    return Shape(frozenset(needed.split()), frozenset({*allowed.split(), *nested}), nested)


ELEMENTS: Final[Mapping[str, Shape]] = {
    "ActionSet": _shape("actions", _ELEMENT, actions="action"),
    "CodeBlock": _shape("codeSnippet", f"{_ELEMENT} language startLineNumber"),
    "ColumnSet": _shape(
        "", f"{_ELEMENT} {_CONTAINER} horizontalAlignment", columns="column", selectAction="action"
    ),
    "Container": _shape("items", f"{_ELEMENT} {_CONTAINER}", items="element", selectAction="action"),
    "FactSet": _shape("facts", _ELEMENT, facts="fact"),
    "Image": _shape(
        "url",
        f"{_ELEMENT} altText backgroundColor horizontalAlignment size style width msteams",
        selectAction="action",
    ),
    "ImageSet": _shape("images", f"{_ELEMENT} imageSize", images="image"),
    "Input.ChoiceSet": _shape(
        "id",
        f"{_ELEMENT} {_INPUT} choices.data isMultiSelect style value placeholder wrap",
        choices="choice",
    ),
    "Input.Date": _shape("id", f"{_ELEMENT} {_INPUT} max min placeholder value"),
    "Input.Number": _shape("id", f"{_ELEMENT} {_INPUT} max min placeholder value"),
    "Input.Text": _shape(
        "id",
        f"{_ELEMENT} {_INPUT} isMultiline maxLength placeholder regex style value",
        inlineAction="action",
    ),
    "Input.Time": _shape("id", f"{_ELEMENT} {_INPUT} max min placeholder value"),
    "Input.Toggle": _shape("id title", f"{_ELEMENT} {_INPUT} value valueOn valueOff wrap"),
    "Media": _shape("sources", f"{_ELEMENT} poster altText captionSources"),
    "RichTextBlock": _shape("inlines", f"{_ELEMENT} horizontalAlignment", inlines="inline"),
    "Table": _shape(
        "",
        f"{_ELEMENT} columns firstRowAsHeader firstRowAsHeaders showGridLines gridStyle"
        " horizontalCellContentAlignment verticalCellContentAlignment",
        rows="row",
    ),
    "TextBlock": _shape("text", f"{_ELEMENT} {_FONT} horizontalAlignment maxLines wrap style"),
}

PARTS: Final[Mapping[str, Shape]] = {
    "Column": _shape("", f"{_ELEMENT} {_CONTAINER} width", items="element", selectAction="action"),
    "TableRow": _shape(
        "", f"{_ELEMENT} style horizontalCellContentAlignment verticalCellContentAlignment", cells="cell"
    ),
    "TableCell": _shape("items", f"{_ELEMENT} {_CONTAINER}", items="element", selectAction="action"),
    "TextRun": _shape("text", f"{_FONT} highlight italic strikethrough underline", selectAction="action"),
    "Fact": _shape("title value"),
    "Input.Choice": _shape("title value"),
}
"""What stands only inside of an element; `PART_OF` says which."""

PART_OF: Final[Mapping[NestedKind, str]] = {
    "column": "Column",
    "row": "TableRow",
    "cell": "TableCell",
    "inline": "TextRun",
    "fact": "Fact",
    "choice": "Input.Choice",
}

ACTIONS: Final[Mapping[str, Shape]] = {
    "Action.Execute": _shape("", f"{_ACTION} verb data associatedInputs"),
    "Action.OpenUrl": _shape("url", _ACTION),
    "Action.ShowCard": _shape("", _ACTION, card="card"),
    "Action.Submit": _shape("", f"{_ACTION} data associatedInputs"),
    "Action.ToggleVisibility": _shape("targetElements", _ACTION),
}

CARD: Final = _shape(
    "version",
    "$schema fallbackText lang minHeight speak backgroundImage verticalContentAlignment refresh"
    " authentication rtl metadata msteams",
    body="element",
    actions="action",
    selectAction="action",
)

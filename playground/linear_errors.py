"""How the Linear stand-in refuses: one exception whose `extensions` have Linear's form."""

from typing import Any


class Refusal(Exception):
    """A request that Linear understood and declined; graphql-core copies `extensions` into the answer."""

    def __init__(
        self, message: str, *, code: str = "INPUT_ERROR", kind: str = "invalid input", shown: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        self.extensions: dict[str, Any] = {
            "code": code,
            "type": kind,
            "userError": True,
            "userPresentableMessage": shown or message,
        }


def invalid(message: str) -> Refusal:
    return Refusal(message)


def not_found(entity: str) -> Refusal:
    return Refusal(f"Entity not found: {entity}", shown=f"No {entity} with that id.")


def conflict(entity: str, entity_id: str) -> Refusal:
    return Refusal(
        f"conflict on insert of {entity}", shown=f"Entity {entity} with id {entity_id} already exists."
    )


def forbidden(message: str) -> Refusal:
    return Refusal(message, code="FORBIDDEN", kind="forbidden")

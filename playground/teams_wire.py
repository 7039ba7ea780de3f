"""What every part of the Teams stand-in shares: the shape of JSON, and how a call is refused."""

from collections.abc import Mapping
from typing import Any, Final

Wire = dict[str, Any]
"""One JSON object as it crosses the wire."""

STATUS_OF: Final[Mapping[str, int]] = {
    "Unauthorized": 401,
    "BotDisabledByAdmin": 403,
    "BotNotInConversationRoster": 403,
    "Forbidden": 403,
    "NotEnoughPermissions": 403,
    "ActivityNotFoundInConversation": 404,
    "ConversationNotFound": 404,
    "MemberNotFoundInConversation": 404,
    "NotFound": 404,
    "PreconditionFailed": 412,
    "MessageSizeTooBig": 413,
    "TooManyRequests": 429,
    "ServiceError": 500,
    "BadGateway": 502,
    "ServiceUnavailable": 503,
    "GatewayTimeout": 504,
}
"""HTTP status of an error code; every other code is the caller's own mistake, 400."""


class Refused(Exception):
    """Microsoft answers `{"error": {"code": ..., "message": ...}}`; a person's client just does not do it."""

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.code = code
        self.message = message or code

    @property
    def status(self) -> int:
        return STATUS_OF.get(self.code, 400)


def error_wire(code: str, message: str) -> Wire:
    return {"error": {"code": code, "message": message}}

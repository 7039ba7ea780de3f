"""Why a run failed, as a blocker and a plain sentence; pure."""

import re
from collections.abc import Iterable

from core.activities import Blocker

_INTERNAL = ("[ede_diagnostic]", "[Request interrupted", "[Tool call interrupted")
_LONGEST = 300

Failure = tuple[Blocker, str]

_REFUSED_KEY: Failure = (Blocker.MODEL_KEY, "The model refused our key.")
_OVERLOADED: Failure = (Blocker.MODEL_BUSY, "The model is overloaded.")
_NO_ANSWER: Failure = (Blocker.MODEL_BUSY, "The model does not answer.")
_TOO_LONG: Failure = (Blocker.AGENT_FAILED, "The conversation grew too long for the model.")
# Some causes are named wrongly, or not at all, and show in the client's own words only.
_BY_WORDS: dict[str, Failure] = {
    "Not logged in": (Blocker.MODEL_KEY, "The model needs a key, and none is set."),
    "Prompt is too long": _TOO_LONG,
}
_BY_NAME: dict[str, Failure] = {
    "authentication_failed": _REFUSED_KEY,
    "oauth_org_not_allowed": _REFUSED_KEY,
    "account_on_hold": (Blocker.MODEL_KEY, "The model account is on hold."),
    "verification_required": (Blocker.MODEL_KEY, "The model account needs to be verified."),
    "cloud_credential_error": _REFUSED_KEY,
    "billing_error": (Blocker.AGENT_FAILED, "The model account has no credit left."),
    "rate_limit": (Blocker.MODEL_BUSY, "The model account reached its rate limit."),
    "overloaded": _OVERLOADED,
    "model_not_found": (Blocker.AGENT_FAILED, "The configured model does not exist for our key."),
    "max_output_tokens": (Blocker.AGENT_FAILED, "The model's answer grew longer than it may be."),
    "error_max_turns": (Blocker.AGENT_FAILED, "The agent used all the steps that one turn may take."),
    "max_turns": (Blocker.AGENT_FAILED, "The agent used all the steps that one turn may take."),
    "error_max_budget_usd": (Blocker.MODEL_LIMIT, "The budget of this session is used."),
    "budget_exhausted": (Blocker.MODEL_LIMIT, "The budget of this session is used."),
    "prompt_too_long": _TOO_LONG,
    "image_error": (Blocker.AGENT_FAILED, "The model could not read an image."),
}
_BY_STATUS: dict[int, Failure] = {
    401: _REFUSED_KEY,
    403: _REFUSED_KEY,
    429: _BY_NAME["rate_limit"],
    529: _OVERLOADED,
}


def failure(names: Iterable[str | None], status: int | None, texts: Iterable[str]) -> Failure:
    """What to tell people.

    Args:
        names: Machine names that may explain it, the most telling first (error, terminal reason, subtype).
        status: HTTP status of the model's answer, if there was one.
        texts: What was said about it in words; only used where nothing better is known.
    """
    said = [text for text in texts if text.strip()]
    for words, known in _BY_WORDS.items():
        if any(words in text for text in said):
            return known
    for name in (named := list(names)):
        if name in _BY_NAME:
            return _BY_NAME[name]
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if "server_error" in named or (status is not None and status >= 500):
        return _NO_ANSWER
    return Blocker.AGENT_FAILED, _sentence(said)


def _sentence(texts: Iterable[str]) -> str:
    """The first line that people can read: no diagnostics, no JSON bodies."""
    for text in texts:
        line = re.split(r"[{\n]", text, maxsplit=1)[0].strip(" :·")
        if line and not line.startswith(_INTERNAL):
            return f"The agent failed: {line[:_LONGEST]}"
    return "The agent failed without giving a reason."


def waiting(name: str | None, status: int | None) -> str:
    """Why the model's client tries again."""
    if name == "rate_limit" or status == 429:
        return "The model is limiting our rate; trying again."
    if name == "overloaded" or status == 529:
        return "The model is overloaded; trying again."
    return "The model does not answer; trying again."

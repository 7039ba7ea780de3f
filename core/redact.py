"""Secrets out of anything that leaves."""

import re
from collections.abc import Iterable

HIDDEN = "[redacted]"

_SHORTEST = 6  # Shorter "secrets" would blank ordinary words.

_KEY_BLOCK = re.compile(
    r"-----BEGIN (?P<kind>[A-Z ]{0,40}PRIVATE KEY)-----.*?(?:-----END (?P=kind)-----|\Z)", re.DOTALL
)
_URL_LOGIN = re.compile(r"(?P<scheme>\b[a-z][a-z0-9+.-]{1,20}://)[^\s/@\"'<>]{1,512}@", re.IGNORECASE)
_BEARER = re.compile(r"(?P<word>\bBearer\s+)[A-Za-z0-9._~+/-]{8,}=*", re.IGNORECASE)
_TOKEN = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"xox[a-z](?:\.xox[a-z])?-[A-Za-z0-9-]{8,}"
    r"|xapp-[A-Za-z0-9-]{8,}"
    r"|lin_(?:api|oauth|wh)_[A-Za-z0-9]{8,}"
    r"|sk-ant-[A-Za-z0-9_-]{8,}"
    r"|gh[opsur]_[A-Za-z0-9._-]{16,}"  # Longer ones hold three parts with dots between them.
    r"|github_pat_[A-Za-z0-9_]{16,}"
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])"
    r")"
)


class Redactor:
    """Takes `secrets` (exact values) and anything of a well-known token shape out of a text.

    Values shorter than six characters are left alone. Redacting twice is redacting once.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        # Longest first, so that a secret which contains another leaves no rest.
        known = sorted({secret for secret in secrets if len(secret) >= _SHORTEST}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, text: str) -> str:
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        text = _KEY_BLOCK.sub(HIDDEN, text)
        text = _URL_LOGIN.sub(rf"\g<scheme>{HIDDEN}@", text)
        text = _BEARER.sub(rf"\g<word>{HIDDEN}", text)
        return _TOKEN.sub(HIDDEN, text)

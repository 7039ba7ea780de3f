"""What the agent is shown of a file: images, and what can be read as text, within limits. Pure."""

import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from core.events import File, Image, TextFile, UnseenFile

FILES_AT_MOST: Final = 10
FILE_BYTES: Final = 5 << 20
TOTAL_BYTES: Final = 20 << 20
# The model takes 5 MiB of base64.
IMAGE_BYTES: Final = FILE_BYTES * 3 // 4
TEXT_CHARS: Final = 20_000

_MAGIC: Final = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "image/webp"),
)

Download = Callable[[str, int], Awaitable[bytes]]
"""The file at an address, in so many bytes at most; raises `Unreadable`."""


class Unreadable(Exception):
    """Carries why a file cannot be shown to the agent."""


async def read_each(named: Iterable[tuple[str, str]], download: Download) -> list[File]:
    """Files by name and address, in order; what cannot be read says why."""
    files, left = list[File](), TOTAL_BYTES
    for number, (name, url) in enumerate(named):
        try:
            if number >= FILES_AT_MOST:
                raise Unreadable(f"only the first {FILES_AT_MOST} files are read")
            if left <= 0:
                raise Unreadable("together the files are too large")
            body = await download(url, min(FILE_BYTES, left))
            files.append(_shown(name, body))
            left -= len(body)
        except Unreadable as reason:
            files.append(UnseenFile(name, str(reason)))
    return files


def grown(body: bytearray, chunk: bytes, limit: int) -> None:
    """Add what came next; raises `Unreadable` once it is too much."""
    body += chunk
    if len(body) > limit:
        raise Unreadable("it is too large")


def _shown(name: str, body: bytes) -> Image | TextFile:
    """By what is in it: names and headers may be wrong, and what is no image breaks the model's call."""
    if media_type := next((kind for magic, kind in _MAGIC if magic.match(body)), None):
        if len(body) > IMAGE_BYTES:
            raise Unreadable("it is too large for an image")
        return Image(name, media_type, body)
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise Unreadable("it is neither an image nor text") from None
    if "\0" in text:
        raise Unreadable("it is neither an image nor text")
    cut = f"{text[:TEXT_CHARS]}\n(cut here: {len(text)} characters in all)"
    return TextFile(name, text if len(text) <= TEXT_CHARS else cut)

"""Our mark as PNG: a thread with three messages on it. Pure; drawn by distance, so smooth at any size."""

import math
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

COLOR_PX: Final = 192
OUTLINE_PX: Final = 32
ACCENT: Final = (0x4B, 0x3F, 0xCF)

PNG: Final = b"\x89PNG\r\n\x1a\n"
RGBA: Final = 6
"""PNG's colour type with an alpha channel."""

_WHITE: Final = (255, 255, 255)
_BYTES: Final = 4

Pixel = tuple[int, int, int, int]
"""Red, green, blue and alpha."""


@dataclass(frozen=True, slots=True)
class _Stroke:
    """A line with round ends, in parts of the icon's side; a dot if both ends are the same."""

    x0: float
    y0: float
    x1: float
    y1: float
    radius: float

    def distance(self, x: float, y: float) -> float:
        """From a point to the edge; negative inside."""
        dx, dy = self.x1 - self.x0, self.y1 - self.y0
        length = dx * dx + dy * dy
        along = ((x - self.x0) * dx + (y - self.y0) * dy) / length if length else 0.0
        along = min(1.0, max(0.0, along))
        return math.hypot(x - self.x0 - along * dx, y - self.y0 - along * dy) - self.radius


_ROWS: Final = (0.28, 0.5, 0.72)
_ENDS: Final = (0.76, 0.66, 0.72)
_MARK: Final = (
    _Stroke(0.3, _ROWS[0], 0.3, _ROWS[-1], 0.025),
    *(_Stroke(0.3, y, 0.3, y, 0.075) for y in _ROWS),
    *(_Stroke(0.48, y, end, y, 0.045) for y, end in zip(_ROWS, _ENDS, strict=True)),
)


def color_icon() -> bytes:
    """192 x 192: the mark in white on our colour."""

    def pixel(coverage: float) -> Pixel:
        red, green, blue = (round(a + (b - a) * coverage) for a, b in zip(ACCENT, _WHITE, strict=True))
        return red, green, blue, 255

    return _drawn(COLOR_PX, pixel)


def outline_icon() -> bytes:
    """32 x 32: the mark in white on nothing."""
    return _drawn(OUTLINE_PX, lambda coverage: (*_WHITE, round(255 * coverage)))


def size_of(icon: bytes) -> tuple[int, int]:
    """Width and height of a PNG with transparency; raises `ValueError` if it is none."""
    if icon[:8] != PNG or icon[12:16] != b"IHDR" or icon[24:26] != bytes([8, RGBA]):
        raise ValueError("not a PNG with 8 bits a channel and transparency")
    width, height = struct.unpack(">II", icon[16:24])
    return width, height


def pixels_of(icon: bytes) -> Iterator[Pixel]:
    """The pixels of one that was written by `written`, row by row; raises `ValueError` for others."""
    width, height = size_of(icon)
    try:
        rows = zlib.decompress(b"".join(data for kind, data in _chunks(icon) if kind == b"IDAT"))
    except zlib.error as error:
        raise ValueError(f"the PNG is damaged: {error}") from None
    line = 1 + width * _BYTES
    if len(rows) != line * height or any(rows[at * line] for at in range(height)):
        raise ValueError("the rows of the PNG are filtered or damaged")
    for at in range(height):
        row = rows[at * line + 1 : (at + 1) * line]
        yield from ((r, g, b, a) for r, g, b, a in zip(*(row[n::_BYTES] for n in range(_BYTES)), strict=True))


def written(width: int, rows: Sequence[bytes]) -> bytes:
    """A PNG of rows of RGBA pixels, unfiltered."""
    header = struct.pack(">IIBBBBB", width, len(rows), 8, RGBA, 0, 0, 0)
    data = zlib.compress(b"".join(b"\x00" + row for row in rows), 9)
    return PNG + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _drawn(side: int, pixel: Callable[[float], Pixel]) -> bytes:
    def row(y: int) -> bytes:
        return b"".join(
            bytes(pixel(_coverage((x + 0.5) / side, (y + 0.5) / side, side))) for x in range(side)
        )

    return written(side, [row(y) for y in range(side)])


def _coverage(x: float, y: float, side: int) -> float:
    """How much of the pixel at `x`, `y` the mark covers."""
    distance = min(stroke.distance(x, y) for stroke in _MARK) * side
    return min(1.0, max(0.0, 0.5 - distance))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _chunks(icon: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(PNG)
    while at + 8 <= len(icon):
        (length,) = struct.unpack(">I", icon[at : at + 4])
        yield icon[at + 4 : at + 8], icon[at + 8 : at + 8 + length]
        at += 12 + length

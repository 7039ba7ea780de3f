"""Files that people gave the agent: read when it is told of them, and none of them is left out in silence."""

import logging
from collections.abc import Sequence

from core.activities import Blocker, Notice
from core.composer import cannot_see, texts_from_linear
from core.events import File, UnseenFile
from core.ids import EntryKey
from core.intake import NO_READER
from core.session import Given
from core.turn.desk import TurnDesk

log = logging.getLogger(__name__)


async def read_files(desk: TurnDesk, given: Sequence[Given]) -> list[File]:
    """What people linked in Linear, and what came with their messages in chat."""
    texts = texts_from_linear(given)
    files = [*await desk.crew.files.read(texts)] if texts and desk.crew.files else []
    for one in given:
        if one.files:
            files += await _attached(desk, one)
    return files


async def name_unseen(desk: TurnDesk, key: EntryKey, files: Sequence[UnseenFile]) -> None:
    """Tell people of files that the agent does not get; with the same `key` it is told once."""
    if files:
        log.info("file unseen", extra={"key": key, "code": Blocker.FILE_UNSEEN.value})
        await desk.crew.store.say(desk.record.id, key, Notice(body=cannot_see(files)))
        desk.crew.wake_mirror(desk.record.id)


async def _attached(desk: TurnDesk, given: Given) -> Sequence[File]:
    reader = desk.crew.attachments.get(given.author.surface)
    if reader is None:
        files: Sequence[File] = [UnseenFile(one.name, NO_READER) for one in given.files]
    else:
        files = await reader.read(given.files)
    unseen = [one for one in files if isinstance(one, UnseenFile)]
    await name_unseen(desk, EntryKey(f"unread/{given.key}"), unseen)
    return files

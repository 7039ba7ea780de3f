"""Files that came with what people said in chat: the agent gets them, or everybody is told why not."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from core.events import Attachment, File, Image, TextFile, UnseenFile
from tests.core.turn.fakes import Scene

LOG = Attachment("error.log", "text/plain", "https://files.test/1")
SHOT = Attachment("shot.png", "image/png", "https://files.test/2")
SHOWN = Image("shot.png", "image/png", b"png")


@dataclass
class FakeReader:
    """Has these files; remembers what it was asked for."""

    found: Sequence[File]
    asked: list[str] = field(default_factory=list)

    async def read(self, files: Sequence[Attachment]) -> Sequence[File]:
        self.asked += [each.url for each in files]
        return self.found


async def test_files_reach_the_agent_with_the_words(scene: Scene) -> None:
    reader = FakeReader([TextFile("error.log", "boom"), SHOWN])
    scene.restart(attachments={"slack": reader})
    await scene.say("fix it", files=[LOG, SHOT])
    assert await scene.play() == "done"
    (run,) = scene.runner.opened
    assert run.images == [SHOWN]
    assert "(attached: error.log)" in run.texts[0]
    assert run.texts[0].endswith("<attached-file>\nerror.log\n\nboom\n</attached-file>")
    assert reader.asked == [LOG.url, SHOT.url]
    assert not [line for line in await scene.story() if "can't see" in line]


async def test_what_cannot_be_read_after_all_is_told_once(scene: Scene) -> None:
    reader = FakeReader([UnseenFile("error.log", "its link has run out"), SHOWN])
    scene.restart(attachments={"slack": reader})
    await scene.say("fix it", files=[LOG, SHOT])
    assert await scene.play() == "done"
    told = [line for line in await scene.story() if "can't see" in line]
    assert told == ["notice: I can't see error.log here: its link has run out. Paste it."]
    assert "(I could not see error.log: its link has run out.)" in scene.runner.opened[0].texts[0]


async def test_each_file_has_its_own_reason(scene: Scene) -> None:
    files = [
        Attachment("a.png", "image/png", "", "it belongs to another organization"),
        Attachment("b.log", "text/plain", "", "the app lacks files:read"),
        Attachment("c.log", "text/plain", "", "the app lacks files:read"),
    ]
    await scene.say("fix it", files=files)
    assert await scene.play() == "done"
    told = [line for line in await scene.story() if "can't see" in line]
    assert told == [
        "notice: I can't see a.png here: it belongs to another organization."
        " I can't see b.log, c.log here: the app lacks files:read. Paste it."
    ]


async def test_where_nobody_reads_files_that_is_said(scene: Scene) -> None:
    await scene.say("fix it", files=[LOG])
    assert await scene.play() == "done"
    told = [line for line in await scene.story() if "can't see" in line]
    assert told == ["notice: I can't see error.log here: I cannot read files of a chat. Paste it."]

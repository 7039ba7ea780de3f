"""A page in headless Chromium, driven through `browser.mjs`."""

import asyncio
import json
import os
import subprocess
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

from tests.npm import missing, settle

UNPACK_WITHIN_S: Final = 60
LINE_BYTES: Final = 4 * 1024 * 1024
WAIT_MS: Final = 45_000
CLOSE_WITHIN_S: Final = 30


class Page:
    """What a person does with it; what does not happen within `WAIT_MS` raises with what is shown."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def open(self, url: str) -> None:
        await self._ask("open", url=url)

    async def until_shown(self, text: str) -> None:
        await self._ask("until", text=text)

    async def until_gone(self, selector: str) -> None:
        await self._ask("gone", selector=selector)

    async def press(self, selector: str) -> None:
        """Click on what a selector of puppeteer finds, such as `aria/Send Message`, once it is there."""
        await self._ask("press", selector=selector)

    async def write(self, selector: str, text: str) -> None:
        await self._ask("write", selector=selector, text=text)

    async def text(self) -> str:
        return str(await self._ask("read"))

    async def picture(self, path: Path) -> None:
        """Save what it looks like as PNG."""
        await self._ask("picture", path=str(path))

    async def _ask(self, do: str, **details: str) -> object:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps({"do": do, **details}).encode() + b"\n")
        await stdin.drain()
        line = await stdout.readline()
        assert line, "the browser ended"
        answer = json.loads(line)
        assert "error" not in answer, f"{do} {details}: {answer['error']}"
        return answer["value"]


@asynccontextmanager
async def opened_page(folder: Path, chromium: Path, data: Path) -> AsyncIterator[Page]:
    """A page of a browser of its own, with `data` for its profile."""
    process = await asyncio.create_subprocess_exec(
        *("node", "browser.mjs", str(chromium), str(data), str(WAIT_MS)),
        cwd=folder,
        env=_environment(chromium.parent),
        stdin=PIPE,
        stdout=PIPE,
        limit=LINE_BYTES,
    )
    try:
        yield Page(process)
    finally:
        try:
            async with asyncio.timeout(CLOSE_WITHIN_S):
                await process.communicate(b"")  # Its input ends, and so does it.
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


def unpacked_chromium(folder: Path) -> Path:
    """The browser out of its npm package; the test is skipped where it does not run, see `missing`."""
    home = folder / "chromium"
    if not home.exists():
        fresh = Path(mkdtemp(dir=folder))
        subprocess.run(
            ["node", "unpack.mjs"],
            cwd=folder,
            env=os.environ | {"TMPDIR": str(fresh)},
            check=True,
            capture_output=True,
            timeout=UNPACK_WITHIN_S,
        )
        settle(fresh, home)
    program = home / "chromium"
    try:
        subprocess.run(
            [program, "--version"], env=_environment(home), check=True, capture_output=True, timeout=60
        )
    except (OSError, subprocess.CalledProcessError) as error:
        missing(f"Chromium does not run here: {error}")
    return program


def _environment(home: Path) -> dict[str, str]:
    """With the fonts beside the browser, where the system has none."""
    fonts = {} if Path("/etc/fonts/fonts.conf").exists() else {"FONTCONFIG_PATH": str(home / "fonts")}
    return {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(home), **fonts}

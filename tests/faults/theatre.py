"""One running service among stand-ins, killed and started again under the sessions that tests play on it."""

import asyncio
import os
import signal
from pathlib import Path

from playground.stage import Stage
from tests.faults.scene import Scene
from tests.faults.scripts import WAIT_FOR_GATE

GONE_WITHIN_S = 5.0
"""How long processes of an agent may outlive their service; its supervisor looks every second."""

KILLED_WITHIN_S = 30.0


class Theatre:
    """The stage, and what is done to its service."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.killed = asyncio.Event()
        self._gate = stage.folder / "gate"

    async def ready(self) -> None:
        """A healthy service and stand-ins, whatever the test before left."""
        self.stage.slack.api.faults.clear()
        self.stage.linear.faults.clear()
        self.stage.model.moments.clear()
        self.open_gate()
        self.killed.clear()
        if self.stage.process is None:
            await self.stage.serve()

    def scene(self, channel: str = "C0001") -> Scene:
        return Scene(self.stage, channel)

    def open_gate(self) -> None:
        """Let commands that wait for the gate end."""
        self._gate.touch()

    def close_gate(self) -> None:
        self._gate.unlink(missing_ok=True)

    async def kill(self) -> None:
        """SIGKILL for the service; the one that the moments of a stand-in are given."""
        await self.stage.kill()
        self.killed.set()

    async def dead(self) -> None:
        """When the service is killed: its agents go with it."""
        async with asyncio.timeout(KILLED_WITHIN_S):
            await self.killed.wait()
        await self.no_agents()
        self.killed.clear()

    async def revived(self) -> None:
        """When the service is dead, start it again."""
        await self.dead()
        self.open_gate()
        await self.stage.serve()

    async def restart(self) -> None:
        await self.kill()
        await self.revived()

    async def serve_until_killed(self) -> None:
        """Start the service, which somebody kills before or soon after it is ready."""
        serving = asyncio.create_task(self.stage.serve())
        try:
            await self.dead()
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)

    async def working(self, scene: Scene) -> None:
        """Wait until the command behind the closed gate runs and Linear shows what came before it."""

        def works() -> bool:
            edited = any(one.get("action") == "Edited" for one in scene.lasting())
            return edited and any(WAIT_FOR_GATE in words for words in self.agents().values())

        await scene.until(works, "a command runs")

    async def no_agents(self) -> None:
        """Wait until no process of an agent is left."""
        await self.stage.until(lambda: not self.agents(), GONE_WITHIN_S, "no process of an agent is left")

    def agents(self) -> dict[int, str]:
        """Every process that belongs to an agent of this stage: its id and its command line."""
        homes = f"{self.stage.folder}/var/sessions/".encode()
        return {pid: words for pid, environ, words in _processes() if _is_agent(environ, homes)}

    def end_agent(self, holding: str) -> int:
        """SIGKILL for the newest of the agents' processes whose command line holds the words; its id."""
        pid = max(pid for pid, words in self.agents().items() if holding in words)
        os.kill(pid, signal.SIGKILL)
        return pid


def _is_agent(environ: bytes, homes: bytes) -> bool:
    return b"THREADLINE_AGENT=" in environ and homes in environ


def _processes() -> list[tuple[int, bytes, str]]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                environ = (folder / "environ").read_bytes()
                words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue  # Gone meanwhile.
            found.append((int(folder.name), environ, words))
    return found

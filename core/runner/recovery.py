"""What an agent that is opened again finds of its last life, and what is told of that once more."""

from dataclasses import dataclass

from core.events import AgentEvent, AgentThought, PlanChanged, PromptTaken, ToolFinished
from core.ports import RunSpec
from core.runner.mapping import Translation
from core.runner.options import ClaudeSettings, write_launcher
from core.runner.transcript import Ending, RecordedTurn, Transcript, read_transcript, transcript_path
from core.workspace.processes import reap_strays


@dataclass(frozen=True, slots=True)
class EndToldAgain:
    """The end of a recorded turn; final if nothing was given since, which shows when it is read."""

    turn: RecordedTurn
    translation: Translation

    def events(self, *, final: bool) -> list[AgentEvent]:
        if not final:
            return list(self.translation.let_go())
        if self.turn.ending in (Ending.STOPPED, Ending.CUT):
            self.translation.stopping()
        return [event for message in self.turn.end() for event in self.translation.feed(message)]


def tell_again(turn: RecordedTurn, workspace: str) -> tuple[list[AgentEvent], EndToldAgain]:
    """A turn that ended: its lasting events, and its end."""
    translation = Translation(workspace)
    for prompt in turn.prompts:
        translation.prompted(prompt)
    told = [event for message in turn.messages for event in translation.feed(message)]
    return list(filter(lasts, told)), EndToldAgain(turn, translation)


def prepare(settings: ClaudeSettings, spec: RunSpec) -> Transcript:
    """Make what a start needs, kill what its last life left behind, and read what it had said. Blocks."""
    write_launcher(settings.run_dir)
    (spec.home / "tmp").mkdir(parents=True, exist_ok=True)
    reap_strays(spec.agent_session)
    path = transcript_path(spec.home, spec.agent_session)
    transcript = read_transcript(path) if path else Transcript(())
    if path and not transcript.turns:
        # Killed before its first prompt was written: neither to be resumed nor to be started again.
        path.unlink()
    return transcript


def lasts(event: AgentEvent) -> bool:
    """Worth telling again after a crash; what only passes by is not."""
    match event:
        case AgentThought(lasting=lasting):
            return lasting
        case ToolFinished() | PlanChanged() | PromptTaken():
            return True
        case _:
            return False

"""Which processes of agents live on this machine."""

from pathlib import Path

from playground.stage import Stage


def agents(stage: Stage) -> list[int]:
    """Ids of every living process that agents of this stage are or started, tools included."""
    return [pid for pid, _ in _living(stage)]


def runs(stage: Stage, words: str) -> bool:
    """Whether one of them, not a shell around it, has these words in its command line."""
    lines = [line for _, line in _living(stage) if words in line]
    return any(Path(line.split(" ")[0]).name.startswith("python") for line in lines)


def _living(stage: Stage) -> list[tuple[int, str]]:
    ours = f"{stage.folder}/var/sessions/".encode()
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                environment = (folder / "environ").read_bytes()
                line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue  # Gone meanwhile.
            if b"THREADLINE_AGENT=" in environment and ours in environment:
                found.append((int(folder.name), line))
    return found

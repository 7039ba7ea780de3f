"""How the Claude command line is started: options, environment and launcher."""

import json
import os
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import claude_agent_sdk
from claude_agent_sdk import CanUseTool, ClaudeAgentOptions

from core.ports import RunSpec
from core.redact import Redactor
from core.runner import supervisor
from core.workspace.processes import MARK

TOOLS = ["Bash", "Read", "Edit", "Write", "Grep", "Glob", "AskUserQuestion", "ExitPlanMode", "TodoWrite"]

_LINE_BYTES = 64 << 20  # One message holds the whole text of an edited file, twice.
_FROM_OURS = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TERM", "TZ")
_FROM_SDK = (
    "PWD",
    "CLAUDE_CODE_ENTRYPOINT",
    "CLAUDE_AGENT_SDK_VERSION",
    "CLAUDE_CODE_SDK_READS_SESSION_STATE",
)
_CLIENT = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_TELEMETRY": "1",
    "DISABLE_ERROR_REPORTING": "1",
    "DISABLE_AUTOUPDATER": "1",
    "CLAUDE_CODE_EMIT_SESSION_STATE_EVENTS": "1",
    "CLAUDE_CODE_ENABLE_TASKS": "0",  # The one-call checklist (TodoWrite), on every model.
    "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1",  # They end turns without a text, or never.
    "CLAUDE_CODE_DISABLE_AUTO_MEMORY": "1",
    "CLAUDE_CODE_STARTUP_FAILURE_RESULTS": "1",
    "CLAUDE_CODE_MAX_RETRIES": "10",
    "API_TIMEOUT_MS": "300000",
}
_UNREAD = ["Read(./.env)", "Read(./.env.*)", "Read(**/*.pem)"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaudeSettings:
    """Plain values for `ClaudeRunner`.

    Attributes:
        run_dir: A folder of ours that no agent can write; holds the launcher.
        api_key: For the model; the one secret that the agent's environment holds.
        base_url: Of the Messages API; None for the vendor's own.
        model: Default model; None for the command line's default.
        max_turns: Model calls per prompt.
        max_budget_usd: Per life of an agent process; None for no limit.
        cli_path: Another command line than the bundled one.
        environment: More variables for the agent; win over all others.
        redact: Applied to what the process says about its own end.
        connect_timeout_s: After which a start has failed.
    """

    run_dir: Path
    api_key: str = field(repr=False)
    base_url: str | None = None
    model: str | None = None
    max_turns: int | None = 150
    max_budget_usd: float | None = None
    cli_path: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    redact: Callable[[str], str] = field(default_factory=Redactor)
    connect_timeout_s: float = 30


def agent_options(
    settings: ClaudeSettings,
    spec: RunSpec,
    *,
    resume: bool,
    continues: bool,
    can_use_tool: CanUseTool,
    stderr: Callable[[str], None],
) -> ClaudeAgentOptions:
    """Options for `spec`. `resume`: its transcript exists; `continues`: its last turn was cut short."""
    return ClaudeAgentOptions(
        cwd=spec.workspace,
        cli_path=settings.run_dir / "launcher",
        model=spec.model or settings.model,
        tools=list(TOOLS),
        permission_mode="plan" if spec.plan else "acceptEdits",
        # The repository's own settings could run its hooks and servers.
        setting_sources=[],
        strict_mcp_config=True,
        settings=json.dumps(_rules(plan=spec.plan)),
        system_prompt={
            "type": "preset",
            "preset": "claude_code",
            "append": spec.guidance,
            "exclude_dynamic_sections": True,
        },
        thinking={"type": "adaptive", "display": "summarized"},
        max_turns=settings.max_turns,
        max_budget_usd=settings.max_budget_usd,
        max_buffer_size=_LINE_BYTES,
        verbatim_prompts=True,  # Else "@/etc/passwd" in a message is read, and "/clear" obeyed.
        session_id=None if resume else spec.agent_session,
        resume=spec.agent_session if resume else None,
        can_use_tool=can_use_tool,
        stderr=stderr,
        extra_args={"replay-user-messages": None},
        env=_environment(settings, spec, continues=continues),
    )


def _rules(*, plan: bool) -> dict[str, object]:
    """Settings of the command line. A rule that allows Bash would count while it plans, too."""
    return {
        "disableAllHooks": True,
        "permissions": {"allow": [] if plan else ["Bash"], "deny": _UNREAD},
        "attribution": {"commit": "", "pr": ""},
    }


def _environment(settings: ClaudeSettings, spec: RunSpec, *, continues: bool) -> dict[str, str]:
    """The SDK adds this to our own environment; the supervisor then keeps only what is named here."""
    home, temporary = str(spec.home), str(spec.home / "tmp")
    ours = {
        **{name: os.environ[name] for name in _FROM_OURS if name in os.environ},
        **_CLIENT,
        "HOME": home,
        "CLAUDE_CONFIG_DIR": home,
        "CLAUDE_CODE_TMPDIR": temporary,
        "TMPDIR": temporary,
        "ANTHROPIC_API_KEY": settings.api_key,
        MARK: spec.agent_session,
        **({"ANTHROPIC_BASE_URL": settings.base_url} if settings.base_url else {}),
        **({"CLAUDE_CODE_RESUME_INTERRUPTED_TURN": "1"} if continues else {}),
        **settings.environment,
    }
    return {
        **ours,
        supervisor.PASS: ",".join([*ours, *_FROM_SDK]),
        supervisor.OWNER: str(os.getpid()),
        supervisor.CLI: str(settings.cli_path or bundled_cli()),
    }


def bundled_cli() -> Path:
    """The command line that comes inside the SDK's wheel."""
    return Path(claude_agent_sdk.__file__).parent / "_bundled" / "claude"


def write_launcher(run_dir: Path) -> None:
    """The SDK starts one program with its own arguments: a script that starts the supervisor with them."""
    start = shlex.join([sys.executable, "-I", "-S", supervisor.__file__])
    script = f'#!/bin/sh\nexec {start} "$@"\n'
    path, fresh = run_dir / "launcher", run_dir / f"launcher.{os.getpid()}"
    if path.is_file() and path.read_text() == script:
        return
    run_dir.mkdir(parents=True, exist_ok=True)
    fresh.write_text(script)
    fresh.chmod(0o755)
    fresh.replace(path)

"""`ChatItem` -> Slack messages. Pure: the story of a session as Slack tells it."""

from collections.abc import Sequence
from typing import Final

from bots.slack.blocks import (
    BLOCK_ID_CHARS,
    BUTTON_VALUE_CHARS,
    MENU_OPTIONS,
    MENU_VALUE_CHARS,
    SECTION_CHARS,
    Block,
    button,
    context,
    payload,
    plain_text,
    sections,
)
from bots.slack.buttons import CHOICE_ACTION, OPEN_ACTION, STOP_ACTION, question_block
from bots.slack.events import user_of
from bots.slack.markup import clipped, clipped_as, escape, link, markdown, mrkdwn, safe_url
from bots.slack.split import split_markdown
from core.activities import Answered, Author, Elicitation, IssueLinked, Option, Outcome, PlanStep, StepStatus
from core.mirror.cards import (
    AnswerItem,
    ChatItem,
    FailureItem,
    NoticeItem,
    ProgressCard,
    QuestionItem,
    QuoteItem,
)
from core.ports import Payload

MARKDOWN_CHARS: Final = 11_000
"""Slack takes 12,000 in the markdown blocks of a message; some room is left for what it adds."""

FALLBACK_CHARS: Final = 3_000
"""`text`, for notifications and screen readers; an edit takes 4,000."""

BUTTONS: Final = 5

_FIRST_SIGN: Final = "On it."
_CUT: Final = "\n\n…"
_LINE_CHARS: Final = 300
_STEP_CHARS: Final = 200
_STEPS: Final = 12
_MARKS: Final = {
    StepStatus.COMPLETED: "✓",
    StepStatus.IN_PROGRESS: "◐",
    StepStatus.PENDING: "○",
    StepStatus.CANCELED: "–",
}
_ENDINGS: Final = {Outcome.DONE: "done in", Outcome.STOPPED: "stopped after", Outcome.FAILED: "failed after"}
_SURFACES: Final = {"slack": "Slack", "teams": "Teams", "linear": "Linear"}


def render(item: ChatItem) -> list[Payload]:
    """The messages that show `item`: `{"text": fallback, "blocks": [...]}` each.

    Only an `AnswerItem` may need more than one, so everything that is edited later stays one message. No
    payload exceeds Slack's limits, and no text of people or models in it notifies anybody.
    """
    match item:
        case ProgressCard():
            return [_ended(item) if item.outcome else _running(item)]
        case AnswerItem():
            return _answer(item)
        case FailureItem(error=error, to=to):
            body = f"{error.body} {error.action}".strip()
            return [_prose(body, to=to)]
        case QuestionItem():
            return [_question(item)]
        case QuoteItem(author=author, body=body):
            return [_prose(_quote(author, body))]
        case NoticeItem(body=body):
            return [_prose(body)]


def duration(seconds: int) -> str:
    """`52 s`, `4 min`, `2 h 5 min`."""
    if seconds < 60:
        return f"{max(seconds, 0)} s"
    hours, minutes = divmod(seconds // 60, 60)
    if not hours:
        return f"{minutes} min"
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def money(dollars: float) -> str:
    """`$0.31`."""
    return f"${dollars:,.2f}"


def _running(card: ProgressCard) -> Payload:
    facts = _line(*_facts(card))
    now = " · ".join(filter(None, [_doing(card), facts]))
    lines = [_headline(card.issue), _where(card), *_plan(card.plan), now]
    title = f"{_title(card.issue)}: " if card.issue else ""
    fallback = title + ((card.blocked.body if card.blocked else card.doing) or _FIRST_SIGN)
    blocks = sections(lines) or sections([_FIRST_SIGN])
    return payload(clipped_as(escape, fallback, FALLBACK_CHARS), [*blocks, _buttons(card)])


def _ended(card: ProgressCard) -> Payload:
    issue = card.issue
    ending = f"{_ENDINGS[card.outcome]} {duration(card.elapsed_s)}" if card.outcome else ""
    facts = [issue.identifier if issue else "", ending, *_cost(card)]
    open_link = [link(issue.url, "Open in Linear")] if issue and safe_url(issue.url) else []
    return payload(_line(*facts), sections([" · ".join([_line(*facts), *open_link])]))


def _headline(issue: IssueLinked | None) -> str:
    return link(issue.url, _title(issue)) if issue else ""


def _title(issue: IssueLinked) -> str:
    return clipped(f"{issue.identifier} · {issue.title}".replace("\n", " "), _LINE_CHARS)


def _where(card: ProgressCard) -> str:
    if card.routed is None:
        return ""
    return _short(", ".join(filter(None, [card.routed.repository, card.routed.reason])))


def _plan(steps: Sequence[PlanStep]) -> list[str]:
    """Twelve steps around the one at work: a longer list would hide the thread."""
    busy = next((at for at, step in enumerate(steps) if step.status is StepStatus.IN_PROGRESS), 0)
    first = max(0, min(busy - _STEPS // 2, len(steps) - _STEPS))
    shown = [_step(step) for step in steps[first : first + _STEPS]]
    before, after = first, max(0, len(steps) - first - _STEPS)
    return [*_left_out(before, "before"), *shown, *_left_out(after, "after")]


def _left_out(count: int, where: str) -> list[str]:
    return [f"… {count} more {where}"] if count else []


def _step(step: PlanStep) -> str:
    content = clipped_as(mrkdwn, " ".join(step.content.split()), _STEP_CHARS)
    if step.status is StepStatus.CANCELED:
        content = f"~{content.replace('~', '')}~"
    return f"{_MARKS[step.status]} {content}"


def _doing(card: ProgressCard) -> str:
    if card.blocked:
        return _short(f"{card.blocked.body} {card.blocked.action}".strip())
    return _short(card.doing)


def _short(text: str) -> str:
    return clipped_as(mrkdwn, " ".join(text.split()), _LINE_CHARS)


def _facts(card: ProgressCard) -> list[str]:
    elapsed = [duration(card.elapsed_s)] if card.elapsed_s > 0 else []
    return [*elapsed, *_cost(card)]


def _cost(card: ProgressCard) -> list[str]:
    return [] if card.cost_usd is None else [money(card.cost_usd)]


def _line(*facts: str) -> str:
    return clipped_as(escape, " · ".join(filter(None, facts)), _LINE_CHARS)


def _buttons(card: ProgressCard) -> Block:
    stop = button(STOP_ACTION, "Stop", value=card.turn)
    url = safe_url(card.issue.url) if card.issue else None
    opened = [button(OPEN_ACTION, "Open in Linear", url=url)] if url else []
    return {"type": "actions", "elements": [*opened, stop]}


def _answer(item: AnswerItem) -> list[Payload]:
    parts = split_markdown(markdown(item.body), MARKDOWN_CHARS) or ["Done."]
    first, *others = parts
    return [_message(first, _mention(item.to)), *(_message(part) for part in others)]


def _prose(body: str, *, to: Author | None = None) -> Payload:
    return _message(_one_part(markdown(body)), _mention(to))


def _one_part(text: str) -> str:
    """As much of `text` as one message holds, fences closed."""
    parts = split_markdown(text, MARKDOWN_CHARS - len(_CUT)) or ["–"]
    return parts[0] if len(parts) == 1 else parts[0] + _CUT


def _message(text: str, mention: str = "") -> Payload:
    blocks: list[Block] = sections([mention]) if mention else []
    fallback = clipped_as(escape, text, FALLBACK_CHARS - len(mention) - 1)
    return payload(f"{mention} {fallback}".strip(), [*blocks, {"type": "markdown", "text": text}])


def _mention(to: Author | None) -> str:
    user = user_of(to) if to else None
    return f"<@{user}>" if user and user.isalnum() else ""


def _quote(author: Author, body: str) -> str:
    name = author.name.replace("*", "")
    lead = f"**{name} in {_SURFACES.get(author.surface, author.surface)}:**"
    # A first line that is a list, a fence or a heading must stay at the start of its line.
    return f"{lead}\n\n{body}" if "\n" in body.strip() else f"{lead} {body.strip()}"


def _question(item: QuestionItem) -> Payload:
    said = _one_part(markdown(_asking(item.question)))
    asked: Block = {"type": "markdown", "text": said}
    if item.answered is None:
        fallback = clipped_as(escape, said, FALLBACK_CHARS)
        return payload(fallback, [asked, *_choices(item.question), context(_hint(item.question))])
    closing = _closing(item.question, item.answered)
    fallback = clipped_as(escape, closing, FALLBACK_CHARS)
    return payload(fallback, [asked, context(clipped_as(mrkdwn, closing, SECTION_CHARS))])


def _closing(question: Elicitation, answered: Answered) -> str:
    """Who answered what, and where: an option by its label, free text as it was given."""
    labels = {option.value: option.label for option in question.options}
    by = answered.by
    where = _SURFACES.get(by.surface, by.surface)
    return f"→ Answered by {by.name} in {where}: {labels.get(answered.answer, answered.answer)}"


def _asking(question: Elicitation) -> str:
    names = _and(question.asked)
    lead = f"Question for {names}:" if names else "Question:"
    body = question.body.strip()
    return f"{lead}\n\n{body}" if "\n" in body else f"{lead} {body}"


def _and(names: Sequence[str]) -> str:
    *most, last = names or ("",)
    return f"{', '.join(most)} and {last}" if most else last


def _hint(question: Elicitation) -> str:
    if not question.options:
        return "Answer in this thread."
    return "or name several in this thread" if question.multiple else "or answer in this thread"


def _choices(question: Elicitation) -> list[Block]:
    """Buttons for a few options, a menu for many. What fits neither is answered in the thread."""
    block_id = question_block(question.id)
    options = [option for option in question.options if option.value and option.label.strip()]
    if not options or len(block_id) > BLOCK_ID_CHARS:
        return []
    if len(options) <= BUTTONS:
        elements = [
            _choice_button(at, each)
            for at, each in enumerate(options)
            if len(each.value) <= BUTTON_VALUE_CHARS
        ]
    else:
        elements = _menu(options)
    return [{"type": "actions", "block_id": block_id, "elements": elements}] if elements else []


def _choice_button(at: int, option: Option) -> Block:
    return button(f"{CHOICE_ACTION}/{at}", option.label, value=option.value)


def _menu(options: Sequence[Option]) -> list[Block]:
    fitting = [option for option in options if len(option.value) <= MENU_VALUE_CHARS][:MENU_OPTIONS]
    if not fitting:
        return []
    entries = [{"text": plain_text(option.label), "value": option.value} for option in fitting]
    return [
        {
            "type": "static_select",
            "action_id": CHOICE_ACTION,
            "placeholder": plain_text("Choose"),
            "options": entries,
        }
    ]

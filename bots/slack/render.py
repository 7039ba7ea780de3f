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
    literal,
    payload,
    plain_text,
    sections,
)
from bots.slack.buttons import CHOICE_ACTION, OPEN_ACTION, STOP_ACTION, pull_button, question_block
from bots.slack.events import user_of
from bots.slack.markup import escape, link, markdown, mrkdwn, safe_url
from core.activities import Author, Elicitation, IssueLinked, Option, PlanStep, StepStatus
from core.mirror.cards import (
    AnswerItem,
    ChatItem,
    FailureItem,
    NoticeItem,
    ProgressCard,
    PullItem,
    QuestionItem,
    QuoteItem,
)
from core.mirror.prose import clipped_as
from core.mirror.pulls import (
    VIEW_DIFF,
    actions_of,
    diff_of,
    headline,
    lines_of,
    stale_line,
    state_of,
)
from core.mirror.pulls import summary_of as pull_summary
from core.mirror.split import split_markdown
from core.mirror.words import (
    CHOOSE,
    CUT,
    EMPTY_ANSWER,
    FIRST_SIGN,
    LINE_CHARS,
    NOTHING,
    OPEN_IN_LINEAR,
    STEP_CHARS,
    STOP,
    addressed,
    asking,
    closing,
    doing_of,
    ending_of,
    facts_of,
    failure_text,
    hint,
    mark_of,
    quoted,
    shown_plan,
    summary_of,
    title_of,
    where_of,
)
from core.ports import Payload, PrivateButton, PrivateLink

MARKDOWN_CHARS: Final = 11_000
"""Slack takes 12,000 in the markdown blocks of a message; some room is left for what it adds."""

FALLBACK_CHARS: Final = 3_000
"""`text`, for notifications and screen readers; an edit takes 4,000."""

BUTTONS: Final = 5
NAME_CHARS: Final = 100


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
            return [_prose(failure_text(error), to=to)]
        case QuestionItem():
            return [_question(item)]
        case QuoteItem(author=author, body=body):
            return [_prose(quoted(author, body))]
        case NoticeItem(body=body):
            return [_prose(body)]
        case PullItem():
            return [_pull(item)]


def whispered(text: str, link: PrivateLink | None = None, buttons: Sequence[PrivateButton] = ()) -> Payload:
    """A message for one person; the link is a button that leads away."""
    message = _prose(text)
    elements = [
        button(pull_button(each.action, confirms=True), each.label, value=each.card) for each in buttons
    ]
    if link is not None and safe_url(link.url):
        elements.append(button(OPEN_ACTION, link.label, url=link.url))
    if not elements:
        return message
    return payload(message["text"], [*message["blocks"], {"type": "actions", "elements": elements}])


def _running(card: ProgressCard) -> Payload:
    now = " · ".join(filter(None, [_short(doing_of(card)), _line(*facts_of(card))]))
    lines = [_headline(card.issue), _short(where_of(card)), *_plan(card.plan), now]
    blocks = sections(lines) or sections([FIRST_SIGN])
    return payload(clipped_as(escape, summary_of(card), FALLBACK_CHARS), [*blocks, _buttons(card)])


def _ended(card: ProgressCard) -> Payload:
    issue, ending = card.issue, _line(ending_of(card))
    open_link = [link(issue.url, OPEN_IN_LINEAR)] if issue and safe_url(issue.url) else []
    return payload(ending, sections([" · ".join([ending, *open_link])]))


def _headline(issue: IssueLinked | None) -> str:
    return link(issue.url, title_of(issue)) if issue else ""


def _plan(steps: Sequence[PlanStep]) -> list[str]:
    plan = shown_plan(steps)
    return [plan.before, *map(_step, plan.steps), plan.after]


def _step(step: PlanStep) -> str:
    content = clipped_as(mrkdwn, " ".join(step.content.split()), STEP_CHARS)
    if step.status is StepStatus.CANCELED:
        content = f"~{content.replace('~', '')}~"
    return f"{mark_of(step)} {content}"


def _short(text: str) -> str:
    return clipped_as(mrkdwn, " ".join(text.split()), LINE_CHARS)


def _line(*facts: str) -> str:
    return clipped_as(escape, " · ".join(filter(None, facts)), LINE_CHARS)


def _buttons(card: ProgressCard) -> Block:
    stop = button(STOP_ACTION, STOP, value=card.turn)
    url = safe_url(card.issue.url) if card.issue else None
    opened = [button(OPEN_ACTION, OPEN_IN_LINEAR, url=url)] if url else []
    return {"type": "actions", "elements": [*opened, stop]}


def _answer(item: AnswerItem) -> list[Payload]:
    parts = split_markdown(markdown(item.body), MARKDOWN_CHARS) or [EMPTY_ANSWER]
    first, *others = parts
    return [_message(first, _mention(item.to)), *(_message(part) for part in others)]


def _prose(body: str, *, to: Author | None = None) -> Payload:
    return _message(_one_part(markdown(body)), _mention(to))


def _one_part(text: str) -> str:
    """As much of `text` as one message holds, fences closed."""
    parts = split_markdown(text, MARKDOWN_CHARS - len(CUT)) or [NOTHING]
    return parts[0] if len(parts) == 1 else parts[0] + CUT


def _message(text: str, mention: str = "") -> Payload:
    blocks: list[Block] = sections([mention]) if mention else []
    fallback = clipped_as(escape, text, FALLBACK_CHARS - len(mention) - 1)
    return payload(f"{mention} {fallback}".strip(), [*blocks, {"type": "markdown", "text": text}])


def _mention(to: Author | None) -> str:
    user = user_of(to) if to else None
    return f"<@{user}>" if user and user.isalnum() else ""


def _question(item: QuestionItem) -> Payload:
    question = item.question
    if item.answered is None:
        fallback, asked = _asked(question)
        return payload(fallback, [*asked, *_choices(question), context(hint(question))])
    said, closed = _one_part(markdown(asking(question))), closing(question, item.answered)
    fallback = clipped_as(escape, closed, FALLBACK_CHARS)
    below = context(clipped_as(mrkdwn, closed, SECTION_CHARS))
    return payload(fallback, [{"type": "markdown", "text": said}, below])


def _asked(question: Elicitation) -> tuple[str, list[Block]]:
    """The question for notifications and as it is shown; mentions only count outside of `markdown`."""
    if not any(map(_mention, question.asked)):
        said = _one_part(markdown(asking(question)))
        return clipped_as(escape, said, FALLBACK_CHARS), [{"type": "markdown", "text": said}]
    names = [_mention(one) or clipped_as(escape, one.name, NAME_CHARS) for one in question.asked]
    lead, said = addressed(question, names), _one_part(markdown(question.body))
    fallback = clipped_as(escape, said, FALLBACK_CHARS - len(lead) - 1)
    return f"{lead} {fallback}", [*sections([lead]), {"type": "markdown", "text": said}]


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
            "placeholder": plain_text(CHOOSE),
            "options": entries,
        }
    ]


def _pull(item: PullItem) -> Payload:
    fallback, facts = clipped_as(escape, pull_summary(item), FALLBACK_CHARS), item.shown.facts
    if item.shown.is_stale:
        return payload(fallback, literal([stale_line(item.shown)]))
    leads = f"{link(facts.url, headline(facts))} · {escape(state_of(facts))}"
    url = safe_url(diff_of(facts))
    elements = [button(OPEN_ACTION, VIEW_DIFF, url=url)] if url else []
    elements += [
        button(pull_button(action), label, value=item.shown.card) for action, label in actions_of(item)
    ]
    blocks = [*sections([leads]), *literal(lines_of(item))]
    if elements:
        blocks.append({"type": "actions", "elements": elements})
    return payload(fallback, blocks)

"""`ChatItem` -> Teams messages. Pure: the story of a session as Teams tells it."""

from collections.abc import Sequence
from typing import Any, Final

from bots.teams import buttons
from bots.teams.cards import (
    Action,
    Element,
    card,
    choices,
    execute,
    form_button,
    line,
    open_url,
    payload,
    prose,
    words,
)
from bots.teams.events import user_of
from bots.teams.markup import Run, cleaned, linked, literal, markdown, run, runs, safe_url
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
from core.mirror.prose import clipped
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
from core.ports import Payload
from core.pulls import PullAction

TEXT_CHARS: Final = 20_000
"""Of one part of an answer. Each may be two units of UTF-16, or two characters in JSON: 80 KB of 100."""

CARD_CHARS: Final = 8_000
"""Of a question, which shares its 100 KB with the choices."""

BUTTONS: Final = 5
BUTTON_VALUE_CHARS: Final = 500
MENU_OPTIONS: Final = 30
MENU_VALUE_CHARS: Final = 150
ID_CHARS: Final = 255
NAME_CHARS: Final = 100

ANSWER: Final = "Answer"
OTHER_ANSWER: Final = "Something else"
UNHEARD: Final = "(mention me if I do not react)"
_MISSING: Final = "Choose something first."

AI_GENERATED: Final = {
    "type": "https://schema.org/Message",
    "@type": "Message",
    "@context": "https://schema.org",
    "additionalType": ["AIGeneratedContent"],
}
"""The label that Teams puts on what a model wrote."""

_SUBTLE: Final = {"isSubtle": True}


def render(item: ChatItem) -> list[Payload]:
    """The messages that show `item`, each the JSON of an activity without its address.

    Only an `AnswerItem` may need more than one, so everything that is edited later stays one message. No
    payload exceeds Teams' 100 KB, and no text of people or models in it notifies anybody.
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


def _running(item: ProgressCard) -> Payload:
    facts = runs(_short(" · ".join(facts_of(item))))
    now = [part for part in (runs(_short(doing_of(item))), facts) if part]
    lines = [
        _headline(item.issue),
        runs(_short(where_of(item)), **_SUBTLE),
        *_plan(item.plan),
        [each for at, part in enumerate(now) for each in ([run(" · "), *part] if at else part)],
    ]
    body = [line(each) for each in lines if each] or [line([run(FIRST_SIGN)])]
    return payload(summary_of(item), card(body, _buttons(item)))


def _ended(item: ProgressCard) -> Payload:
    ending = clipped(ending_of(item), LINE_CHARS)
    url = safe_url(item.issue.url) if item.issue else None
    opened = [run(" · ", **_SUBTLE), linked(OPEN_IN_LINEAR, url)] if url else []
    return payload(ending, card([line([run(literal(ending), **_SUBTLE), *opened])]))


def _headline(issue: IssueLinked | None) -> list[Run]:
    return [linked(literal(title_of(issue)), issue.url, weight="Bolder")] if issue else []


def _plan(steps: Sequence[PlanStep]) -> list[list[Run]]:
    plan = shown_plan(steps)
    return [_left_out(plan.before), *map(_step, plan.steps), _left_out(plan.after)]


def _left_out(text: str) -> list[Run]:
    return [run(text, **_SUBTLE)] if text else []


def _step(step: PlanStep) -> list[Run]:
    content = clipped(" ".join(step.content.split()), STEP_CHARS)
    style = {"strikethrough": True, **_SUBTLE} if step.status is StepStatus.CANCELED else {}
    return [run(f"{mark_of(step)} "), *runs(content, **style)]


def _short(text: str) -> str:
    return clipped(" ".join(text.split()), LINE_CHARS)


def _buttons(item: ProgressCard) -> list[Action]:
    url = safe_url(item.issue.url) if item.issue else None
    opened = [open_url(OPEN_IN_LINEAR, url)] if url else []
    return [*opened, execute(STOP, buttons.stop(item.turn))]


def _answer(item: AnswerItem) -> list[Payload]:
    first, *others = split_markdown(markdown(item.body), TEXT_CHARS) or [EMPTY_ANSWER]
    return [
        _message(first, item.to, AI_GENERATED),
        *(_message(part, None, AI_GENERATED) for part in others),
    ]


def _prose(body: str, *, to: Author | None = None) -> Payload:
    return _message(_one_part(markdown(body), TEXT_CHARS), to)


def _one_part(text: str, limit_chars: int) -> str:
    """As much of `text` as fits, fences closed."""
    parts = split_markdown(text, limit_chars - len(CUT)) or [NOTHING]
    return parts[0] if len(parts) == 1 else parts[0] + CUT


def _message(text: str, to: Author | None, *entities: dict[str, Any]) -> Payload:
    mention = _mention(to)
    lead = f"{mention['text']}\n\n" if mention else ""
    shown = [*([mention] if mention else []), *entities]
    message = {"type": "message", "textFormat": "markdown", "text": lead + text}
    return message | {"entities": shown} if shown else message


def _mention(to: Author | None) -> dict[str, Any] | None:
    """The entity for `<at>Name</at>`; its text must be in the message letter by letter."""
    user = user_of(to) if to else None
    name = clipped("".join(each for each in literal(to.name) if each not in "<>&"), NAME_CHARS) if to else ""
    if not user or not name.strip():
        return None
    return {"type": "mention", "text": f"<at>{name}</at>", "mentioned": {"id": user, "name": name}}


def _question(item: QuestionItem) -> Payload:
    question = item.question
    if item.answered is not None:
        asked = prose(_one_part(markdown(asking(question)), CARD_CHARS))
        closed = clipped(closing(question, item.answered), LINE_CHARS)
        return payload(closed, card([*asked, line(runs(closed, **_SUBTLE))]))
    fields, actions = _choices(question)
    asked, mentions = _asked(question)
    body = [*asked, *fields, line([run(_hint(question), **_SUBTLE)])]
    return payload(asking(question), card(body, actions, mentions))


def _hint(question: Elicitation) -> str:
    """How else to answer; where nobody consented that we read along, we only hear what mentions us."""
    said = hint(question)
    return f"{said.removesuffix('.')} {UNHEARD}{'.' if said.endswith('.') else ''}"


def _asked(question: Elicitation) -> tuple[list[Element], list[dict[str, Any]]]:
    """The question, and the mentions in it: what it says of itself must not touch them."""
    found = [_mention(one) for one in question.asked]
    mentions = [each for each in found if each]
    if not mentions:
        return prose(_one_part(markdown(asking(question)), CARD_CHARS)), []
    names = [
        each["text"] if each else markdown(clipped(one.name, NAME_CHARS))
        for one, each in zip(question.asked, found, strict=True)
    ]
    said = _one_part(markdown(question.body), CARD_CHARS)
    return [words(addressed(question, names)), *prose(said)], mentions


def _choices(question: Elicitation) -> tuple[list[Element], list[Action]]:
    """Buttons for a few options, a list for many or for several at once. Words can be sent as well."""
    if len(question.id) > ID_CHARS:
        return [], []
    options = [option for option in question.options if option.value and option.label.strip()]
    about = clipped(" ".join(cleaned(question.body).split()), LINE_CHARS)
    asked = buttons.ask(question.id, about)
    if not options:
        return [], [form_button(ANSWER, asked)]
    other = form_button(OTHER_ANSWER, asked)
    if len(options) <= BUTTONS and not question.multiple:
        return [], [*_option_buttons(question, options), other]
    return _menu(question, options, other)


def _option_buttons(question: Elicitation, options: Sequence[Option]) -> list[Action]:
    return [
        execute(option.label, buttons.choose(question.id, at, option.value))
        for at, option in enumerate(options)
        if len(option.value) <= BUTTON_VALUE_CHARS
    ]


def _menu(
    question: Elicitation, options: Sequence[Option], other: Action
) -> tuple[list[Element], list[Action]]:
    """A list. One pick gives its value; several are given by their labels, as a person would name them."""
    fitting = [option for option in options if len(option.value) <= MENU_VALUE_CHARS][:MENU_OPTIONS]
    if not fitting:
        return [], [other]
    titles = [option.label for option in fitting]
    gives = [clipped(" ".join(title.split()), MENU_VALUE_CHARS) for title in titles]
    if not question.multiple:
        gives = [option.value for option in fitting]
    listed = choices(buttons.PICKED, titles, multiple=question.multiple, placeholder=CHOOSE, missing=_MISSING)
    return [listed], [execute(ANSWER, buttons.pick(question.id, gives)), other]


def _pull(item: PullItem) -> Payload:
    facts, summary = item.shown.facts, pull_summary(item)
    if item.shown.is_stale:
        return payload(summary, card([line([run(literal(stale_line(item.shown)), **_SUBTLE)])]))
    leads = [
        linked(literal(headline(facts)), facts.url, weight="Bolder"),
        run(f" · {state_of(facts)}", **_SUBTLE),
    ]
    body = [line(leads), *(line([run(literal(each))]) for each in lines_of(item))]
    url = safe_url(diff_of(facts))
    opened = [open_url(VIEW_DIFF, url)] if url else []
    return payload(summary, card(body, [*opened, *_pull_buttons(item)]))


def _pull_buttons(item: PullItem) -> list[Action]:
    id = item.shown.card
    return [
        form_button(title, buttons.review(id))
        if action is PullAction.REQUEST_CHANGES
        else execute(title, buttons.act(id, action))
        for action, title in actions_of(item)
    ]

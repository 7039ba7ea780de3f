"""What one person alone is shown. Pure."""

from collections.abc import Sequence

from bots.teams.buttons import act
from bots.teams.cards import card, execute, open_url, payload, prose
from bots.teams.markup import safe_url
from bots.teams.render import render
from core.mirror.cards import NoticeItem
from core.ports import Payload, PrivateButton, PrivateLink


def whispered(text: str, link: PrivateLink | None = None, buttons: Sequence[PrivateButton] = ()) -> Payload:
    """A message for one person; the link is a button that leads away."""
    message = render(NoticeItem(text))[0]
    actions = [execute(each.label, act(each.card, each.action, sure=True)) for each in buttons]
    if link is not None and (url := safe_url(link.url)):
        actions.append(open_url(link.label, url))
    return payload(text, card(prose(message["text"]), actions)) if actions else message

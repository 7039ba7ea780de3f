"""REST of the GitHub stand-in: the app, its installation and webhooks, and people."""

from datetime import UTC, datetime

from playground import github_views as views
from playground.github_rest import Answer, Asked, Rest, on
from playground.github_rights import Refused, demand_person
from playground.github_state import stamp
from playground.github_tokens import INSTALLATION_S, AppIdentity
from playground.github_views import shape


def _own_app(rest: Rest, asked: Asked) -> AppIdentity:
    if asked.who.kind != "app":
        raise Refused(401, "A JSON web token could not be decoded")
    return rest.forge.app


@on("GET", "/app")
async def _app(rest: Rest, asked: Asked) -> Answer:
    app = _own_app(rest, asked)
    told = shape(
        "app",
        id=app.id,
        slug=app.slug,
        name=app.slug,
        permissions=dict(app.rights),
        events=sorted(app.events),
        client_id=app.client_id,
    )
    return Answer(200, told)


@on("GET", "/app/hook/deliveries")
async def _deliveries(rest: Rest, asked: Asked) -> Answer:
    app = _own_app(rest, asked)
    listed = [
        shape(
            "delivery",
            id=one.id,
            guid=one.guid,
            delivered_at=stamp(one.at),
            redelivery=one.is_redelivery,
            status="OK" if one.status == 200 else "failed",
            status_code=one.status,
            event=one.event,
            action=one.action,
            installation_id=app.installation,
        )
        for one in reversed(rest.forge.courier.deliveries)
    ]
    return Answer(200, asked.page(listed))


@on("POST", "/app/hook/deliveries/{delivery}/attempts")
async def _redeliver(rest: Rest, asked: Asked) -> Answer:
    _own_app(rest, asked)
    id = asked.parts["delivery"]
    if not id.isdecimal() or not rest.forge.courier.redeliver(int(id)):
        raise Refused(404, "Not Found")
    return Answer(202, {})


@on("POST", "/app/installations/{installation}/access_tokens")
async def _access_token(rest: Rest, asked: Asked) -> Answer:
    app = _own_app(rest, asked)
    if asked.parts["installation"] != str(app.installation) or not app.is_installed:
        raise Refused(404, "Not Found")
    if app.is_suspended:
        raise Refused(403, "This installation has been suspended")
    named = asked.body.get("repositories")
    homes = None
    if named is not None:
        homes = [one for one in rest.world.repositories if one.name in named]
        if len(homes) != len(named):
            raise Refused(422, "There is at least one repository that does not exist or is not accessible")
    rights = {"metadata": "read", **(asked.body.get("permissions") or app.rights)}  # It goes with any.
    if excess := rest.tokens.excess(rights):
        raise Refused(422, f"The permissions requested are not granted to this installation: {excess}.")
    text = rest.tokens.install(homes, rights)
    ends = datetime.fromtimestamp(rest.tokens.now() + INSTALLATION_S, UTC)
    return Answer(201, shape("token", token=text, expires_at=stamp(ends), permissions=rights))


@on("GET", "/repos/{owner}/{repo}/installation")
async def _installation(rest: Rest, asked: Asked) -> Answer:
    app = _own_app(rest, asked)
    if not app.is_installed:
        raise Refused(404, "Not Found")
    rest.found(asked)
    told = shape(
        "installation",
        id=app.installation,
        app_id=app.id,
        app_slug=app.slug,
        target_type="Organization",
        repository_selection="all",
        permissions=dict(app.rights),
    )
    return Answer(200, told)


@on("POST", "/applications/{client}/token")
async def _check_token(rest: Rest, asked: Asked) -> Answer:
    text = asked.text("access_token")
    known = rest.tokens.lives(text)
    if known is None or known.kind != "user":
        raise Refused(404, "Not Found")
    return Answer(200, shape("authorization", id=known.account.id, token=text))


@on("DELETE", "/applications/{client}/grant")
async def _end_grant(rest: Rest, asked: Asked) -> Answer:
    if rest.tokens.end(asked.text("access_token")) is None:
        raise Refused(404, "Not Found")
    return Answer(204)


@on("GET", "/user")
async def _user(_: Rest, asked: Asked) -> Answer:
    one = demand_person(asked.who)
    return Answer(200, shape("user", **views.whole_account(one)))


@on("GET", "/user/emails")
async def _emails(_: Rest, asked: Asked) -> Answer:
    one = demand_person(asked.who)
    listed = [
        shape("email", email=address, verified=verified, primary=not n, visibility=None)
        for n, (address, verified) in enumerate(one.emails)
    ]
    return Answer(200, listed)


@on("GET", "/user/{account}")
async def _user_by_id(rest: Rest, asked: Asked) -> Answer:
    id = asked.parts["account"]
    one = rest.world.accounts.get(int(id)) if id.isdecimal() else None
    if one is None:
        raise Refused(404, "Not Found")
    return Answer(200, views.whole_account(one))


@on("GET", "/users/{login}")
async def _user_by_login(rest: Rest, asked: Asked) -> Answer:
    one = rest.world.named(asked.parts["login"])
    if one is None:
        raise Refused(404, "Not Found")
    return Answer(200, views.whole_account(one))


@on("GET", "/rate_limit")
async def _rate_limit(rest: Rest, _: Asked) -> Answer:
    rate = {"limit": 5000, "used": 0, "remaining": 5000, "reset": int(rest.tokens.now()) + 3600}
    return Answer(200, {"resources": {"core": rate, "search": rate}, "rate": rate})

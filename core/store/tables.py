"""The tables. Times are UTC seconds since the epoch (REAL), ids are text, bodies are JSON."""

import sqlalchemy as sa

metadata = sa.MetaData()

BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    # Fence: every attempt at a turn raises it; only the newest may append on the agent's behalf.
    sa.Column("epoch", BIG, nullable=False, server_default="0"),
    # What core.session decides from: status, open turn, stop asked, open question.
    sa.Column("state", sa.JSON, nullable=False),
    sa.Column("next_seq", BIG, nullable=False, server_default="1"),
    sa.Column("head", BIG, nullable=False, server_default="0"),
    sa.Column("holder", sa.Text),
    sa.Column("issue_id", sa.Text),
    sa.Column("issue", sa.JSON),
    # Address of the request in the thread; also how an echo from Linear finds its owner.
    sa.Column("thread_url", sa.Text),
    # Set before Linear is asked for a session: the echo of our own call may come before its answer.
    sa.Column("linear_pending_at", sa.Float),
    sa.Column("linear_session_id", sa.Text, unique=True),
    sa.Column("repository", sa.Text),
    sa.Column("route_reason", sa.Text),
    sa.Column("branch", sa.Text),
    sa.Column("base_sha", sa.Text),
    sa.Column("agent_session", sa.Text, nullable=False),
    sa.Column("model", sa.Text),
    sa.Column("cost_usd", sa.Float),
    sa.Column("created_by", sa.JSON, nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
)

threads = sa.Table(
    "threads",
    metadata,
    sa.Column("id", BIG, primary_key=True, autoincrement=True),
    sa.Column("surface", sa.Text, nullable=False),
    sa.Column("install", sa.Text, nullable=False),
    sa.Column("conversation", sa.Text, nullable=False),
    sa.Column("root", sa.Text, nullable=False),
    sa.Column("session_id", sa.Text, sa.ForeignKey("sessions.id"), nullable=False, index=True),
    sa.UniqueConstraint("surface", "install", "conversation", "root", name="one_session_a_thread"),
)

inbox = sa.Table(
    "inbox",
    metadata,
    sa.Column("session_id", sa.Text, sa.ForeignKey("sessions.id"), primary_key=True),
    sa.Column("seq", BIG, primary_key=True),
    sa.Column("dedupe", sa.Text, nullable=False, unique=True),
    sa.Column("body", sa.JSON, nullable=False),
    # The turn that took it, and how: "prompt" at its start, "steer" into the running agent, "control".
    sa.Column("taken_by", sa.Text),
    sa.Column("mode", sa.Text),
    sa.Column("at", sa.Float, nullable=False),
)
sa.Index("inbox_waiting", inbox.c.session_id, sqlite_where=inbox.c.taken_by.is_(None))

events = sa.Table(
    "events",
    metadata,
    sa.Column("session_id", sa.Text, sa.ForeignKey("sessions.id"), primary_key=True),
    sa.Column("n", BIG, primary_key=True),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("body", sa.JSON, nullable=False),
    sa.Column("origin", sa.Text),
    sa.Column("epoch", BIG, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    sa.UniqueConstraint("session_id", "key", name="one_entry_a_key"),
)

bindings = sa.Table(
    "bindings",
    metadata,
    sa.Column("session_id", sa.Text, sa.ForeignKey("sessions.id"), primary_key=True),
    # "linear", "slack" or "teams"; `target` is the agent session's id, or the thread as text.
    sa.Column("sink", sa.Text, primary_key=True),
    sa.Column("target", sa.Text, primary_key=True),
    sa.Column("install", sa.Text, nullable=False),
    # Entries up to here are shown, or need not be.
    sa.Column("cursor", BIG, nullable=False, server_default="0"),
    # Parts of entry `cursor` + 1 that are shown already (long answers are several messages).
    sa.Column("part", BIG, nullable=False, server_default="0"),
    # The sink's own memory: ids of messages it edits, reactions it set. JSON-able.
    sa.Column("memory", sa.JSON, nullable=False),
    sa.Column("suppressed", sa.Text),
    sa.Column("next_at", sa.Float, nullable=False, server_default="0"),
    sa.Column("fails", BIG, nullable=False, server_default="0"),
)

ops = sa.Table(
    "ops",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("session_id", sa.Text, nullable=False),
    sa.Column("sink", sa.Text, nullable=False),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("body", sa.JSON, nullable=False),
    # Where the cursor goes once this is done.
    sa.Column("to_n", BIG, nullable=False),
    sa.Column("to_part", BIG, nullable=False),
    # sending | sent | failed | gave_up
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("result", sa.Text),
    sa.Column("attempts", BIG, nullable=False, server_default="0"),
    sa.Column("at", sa.Float, nullable=False),
    sa.ForeignKeyConstraint(
        ["session_id", "sink", "target"], ["bindings.session_id", "bindings.sink", "bindings.target"]
    ),
)
# A reaction names a message, but not its thread.
sa.Index("ops_by_result", ops.c.result)
sa.Index("ops_in_flight", ops.c.session_id, ops.c.sink, ops.c.target, ops.c.state)

workers = sa.Table(
    "workers",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("slot", sa.Text, nullable=False),
    sa.Column("lease", sa.Float, nullable=False),
    # up | dead | reaped
    sa.Column("state", sa.Text, nullable=False),
)

installs = sa.Table(
    "installs",
    metadata,
    # "linear"; `external_id` is the organization's there.
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("external_id", sa.Text, primary_key=True),
    sa.Column("organization", sa.Text, nullable=False),
    sa.Column("app_user_id", sa.Text, nullable=False),
    # Both tokens are sealed by `core.store.vault` with the key that `key_id` names.
    sa.Column("access_token", sa.LargeBinary, nullable=False),
    sa.Column("refresh_token", sa.LargeBinary),
    sa.Column("key_id", sa.Text, nullable=False),
    sa.Column("scopes", sa.JSON, nullable=False),
    sa.Column("expires_at", sa.Float, nullable=False),
    # active | revoked
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("installed_at", sa.Float, nullable=False),
    sa.Column("updated_at", sa.Float, nullable=False),
)

tickets = sa.Table(
    "tickets",
    metadata,
    # SHA-256 of what was handed out: who reads this table can redeem nothing.
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("body", sa.JSON, nullable=False),
    sa.Column("expires_at", sa.Float, nullable=False),
)

identities = sa.Table(
    "identities",
    metadata,
    # As in `core.activities.Author`; `linear_user` is the id of the same person's account in Linear.
    sa.Column("surface", sa.Text, primary_key=True),
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("linear_user", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("email", sa.Text),
    # email | oauth
    sa.Column("evidence", sa.Text, nullable=False),
    sa.Column("linked_at", sa.Float, nullable=False),
    sa.UniqueConstraint("surface", "linear_user", name="one_account_a_surface"),
)

held = sa.Table(
    "held",
    metadata,
    # Inbox rows that wait until their author has linked an account; then they come in anew.
    sa.Column("session_id", sa.Text, primary_key=True),
    sa.Column("seq", BIG, primary_key=True),
    sa.Column("surface", sa.Text, nullable=False),
    sa.Column("account", sa.Text, nullable=False),
    sa.ForeignKeyConstraint(["session_id", "seq"], ["inbox.session_id", "inbox.seq"]),
)
sa.Index("held_by_person", held.c.surface, held.c.account)

addresses = sa.Table(
    "addresses",
    metadata,
    # How to reach a conversation of a chat platform, or the person behind an id; `install` as in `ThreadRef`.
    sa.Column("surface", sa.Text, primary_key=True),
    sa.Column("install", sa.Text, primary_key=True),
    sa.Column("target", sa.Text, primary_key=True),
    sa.Column("address", sa.JSON, nullable=False),
    sa.Column("updated_at", sa.Float, nullable=False),
)

openings = sa.Table(
    "openings",
    metadata,
    # A thread that we begin ourselves: `place` as in `ThreadRef.place`, `body` is its first message.
    sa.Column("session_id", sa.Text, sa.ForeignKey("sessions.id"), primary_key=True),
    sa.Column("place", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    # What is logged up to here is not shown there.
    sa.Column("after_n", BIG, nullable=False),
    # Set before the chat is asked for the first time: the message may be there from then on.
    sa.Column("tried_at", sa.Float),
    # As text, once it is there.
    sa.Column("thread", sa.Text),
    # due | done | gone
    sa.Column("state", sa.Text, nullable=False),
)

pulls = sa.Table(
    "pulls",
    metadata,
    # One per session and branch; its number is not known before it is opened.
    sa.Column("session_id", sa.Text, sa.ForeignKey("sessions.id"), primary_key=True),
    sa.Column("repository", sa.Text, nullable=False),
    sa.Column("branch", sa.Text, nullable=False),
    sa.Column("number", BIG),
    # The commit to push, and what we pushed last: whatever else the branch holds is a person's.
    sa.Column("wanted_sha", sa.Text),
    sa.Column("pushed_sha", sa.Text),
    # `core.pulls.PullFacts` of the newest look.
    sa.Column("facts", sa.JSON),
    sa.Column("card", sa.Text),
    # The turn that wanted the last push, and the one whose card is shown.
    sa.Column("turn", sa.Text),
    sa.Column("shown_turn", sa.Text),
    # SHA-256 of what is shown.
    sa.Column("shown", sa.Text),
    # What our own check said last, and of which head.
    sa.Column("verdict", sa.Text),
    # Attempts to fix the head that `tried_sha` names.
    sa.Column("tried_sha", sa.Text),
    sa.Column("tries", BIG, nullable=False, server_default="0"),
    # When to look next, seconds since the epoch; NULL once it is merged or closed and shown so.
    sa.Column("look_at", sa.Float),
    sa.UniqueConstraint("repository", "number", name="one_session_a_pull"),
)
sa.Index("pulls_due", pulls.c.look_at)

cards = sa.Table(
    "cards",
    metadata,
    # What a button stands for: its pull request at this head, and nothing the button says itself.
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("session_id", sa.Text, sa.ForeignKey("sessions.id"), nullable=False, index=True),
    sa.Column("head_sha", sa.Text, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
)

acts = sa.Table(
    "acts",
    metadata,
    # A wish of a person, by the key of its event; `op` marks what it leaves at the code host.
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("op", sa.Text, nullable=False),
    # Once it is allowed: who does what at which head, hashed. Done once, however often wished.
    sa.Column("once", sa.Text, unique=True),
    sa.Column("session_id", sa.Text, sa.ForeignKey("sessions.id"), nullable=False),
    sa.Column("body", sa.JSON, nullable=False),
    # due | held | done | refused
    sa.Column("state", sa.Text, nullable=False),
    # A call was made: it may have got through.
    sa.Column("tried_at", sa.Float),
    sa.Column("at", sa.Float, nullable=False),
)
sa.Index("acts_due", acts.c.state)

audit = sa.Table(
    "audit",
    metadata,
    # Append-only: `digest` covers the row and the digest before it.
    sa.Column("n", BIG, primary_key=True, autoincrement=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("body", sa.JSON, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
)

audit_head = sa.Table(
    "audit_head",
    metadata,
    # One row: how many the log has, and the digest of the last, so that none is cut off unseen.
    sa.Column("id", BIG, primary_key=True, autoincrement=False),
    sa.Column("rows", BIG, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
)

noted = sa.Table(
    "noted",
    metadata,
    # Names what may be told more than once, and is in the audit log by now.
    sa.Column("once", sa.Text, primary_key=True),
)

deliveries = sa.Table(
    "deliveries",
    metadata,
    # Webhooks of a code host that came in, for 30 days: its own id, and SHA-256 of the body.
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
)

code_accounts = sa.Table(
    "code_accounts",
    metadata,
    # "linear:<user>" where the person is known there, else "<surface>:<account>".
    sa.Column("person", sa.Text, primary_key=True),
    sa.Column("account_id", BIG, nullable=False, unique=True),
    sa.Column("login", sa.Text, nullable=False),
    # Who linked it, as in `core.activities.Author`.
    sa.Column("surface", sa.Text, nullable=False),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("evidence", sa.Text, nullable=False),
    # unconfirmed | active
    sa.Column("state", sa.Text, nullable=False),
    # SHA-256 of the cookie of the browser that signed in: the one in which it is confirmed.
    sa.Column("browser", sa.Text),
    # Both tokens are sealed by `core.store.vault` with the key that `key_id` names.
    sa.Column("access_token", sa.LargeBinary, nullable=False),
    sa.Column("refresh_token", sa.LargeBinary),
    sa.Column("key_id", sa.Text, nullable=False),
    sa.Column("expires_at", sa.Float),
    sa.Column("refresh_expires_at", sa.Float),
    sa.Column("linked_at", sa.Float, nullable=False),
)

"""What the fork server of `tests.forked` has in memory before it forks."""

import gc
from importlib import import_module

gc.disable()
for name in ("bots.cli", "bots.teams.bot"):
    import_module(name)
gc.freeze()

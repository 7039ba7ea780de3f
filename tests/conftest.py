"""For all tests: what costs each of them time and shows nothing, once."""

import gc
import os

from playground.stage import Stage
from tests.forked import Forked

gc.disable()
Stage.launch = staticmethod(Forked)


def pytest_collection_finish() -> None:
    """Twenty thousand tests are kept to the end: every full collection would visit them all."""
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are processors: sessions wait as long as they compute."""
    return (os.cpu_count() or 1) + 1

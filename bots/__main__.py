"""The command `threadline`, also as `python -m bots`."""

import gc
import sys


def main() -> int:
    """Begin without looking for garbage: what is imported stays, and looking takes a fourth of the start."""
    gc.disable()
    from bots.cli import main as run

    gc.freeze()
    gc.enable()
    return run()


if __name__ == "__main__":
    sys.exit(main())

"""`python -m bots` is `threadline`."""

import sys

from bots.cli import main

sys.exit(main())

"""Pull requests of sessions: shipped at the end of a turn, watched, and acted on by people."""

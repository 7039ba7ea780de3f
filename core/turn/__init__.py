"""One turn of one session: claimed, prepared, conducted, closed; restartable at every point."""

"""Projections: how one log becomes the same story on every surface."""

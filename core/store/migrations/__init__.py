"""One revision a file, oldest first; `core.store.migrate` runs them."""

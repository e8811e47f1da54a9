"""What speaks to a running service over HTTP, like any other client: one process owns the gallery."""

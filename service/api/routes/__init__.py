"""One file a resource or decision; each bears the name of its rules in `decisions/`."""

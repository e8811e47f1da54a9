"""The ids of collections, subjects and faces."""

ID_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}"
"""What an id may be. A client chooses the ids of collections and subjects."""

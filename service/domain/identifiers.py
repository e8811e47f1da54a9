"""The ids of collections, subjects and faces."""

ID_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}"
"""What an id may be. A client chooses the ids of collections and subjects."""

ID_RULE = (
    "An id has letters (a to z, A to Z), digits, `.`, `_` and `-`, begins with a letter or digit, and has at most 128 "
    "characters."
)
"""The pattern in words, for people."""

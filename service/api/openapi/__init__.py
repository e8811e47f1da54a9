"""`/openapi.json`, which /docs shows.

examples.py       bodies, with examples that run unchanged
description.py    what is added to the description that FastAPI makes
"""

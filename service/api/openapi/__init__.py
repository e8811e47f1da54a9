"""`/openapi.json`, which /docs shows.

introduction.py   the text at the top, and the groups of calls
examples.py       bodies, with examples that run unchanged
refusals.py       the problems that each call can answer with
description.py    what is added to the description that FastAPI makes
"""

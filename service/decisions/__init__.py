"""The rules of enrol, verify, identify and cluster. They do not depend on HTTP.

Each decision is one file. Its route and its schema have the same name, but those of `enrol.py` are called `faces.py`.
`inputs.py` says what a client can send, `probes.py` turns it into embeddings.
"""

"""The rules of enrol, verify, identify and cluster. They know nothing of HTTP.

Each verb is one file, and its route and its schema have the same name. `inputs.py` says what a client can send,
`probes.py` turns it into embeddings.
"""

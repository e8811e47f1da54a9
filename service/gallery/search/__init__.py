"""Search for the nearest faces.

face_search.py  what the gallery needs of a search
background.py   a thread for long work
in_memory/      indexes in the memory of one process
milvus/         a Milvus server, for large collections and several replicas

The search by PostgreSQL itself is in `records/postgresql/`: it is a part of its transactions.
"""

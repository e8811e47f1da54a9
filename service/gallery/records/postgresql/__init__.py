"""The records on a PostgreSQL server.

connections.py   where the server is, and how the service connects to it
database.py      its transactions, and how deleted content is removed
presence.py      which other replicas use it now, and whether they go together
locks.py         its advisory locks
shared_faces.py  the faces of a collection, and which of them were changed
vectors.py       the table of vectors
vector_search.py how pgvector searches it
vector_index.py  the index of a large collection
long_statements.py
                 statements that a stop cancels
"""

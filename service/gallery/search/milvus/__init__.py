"""Search by a Milvus server. The records are the truth, and every answer is checked against them.

search.py     finds faces: Milvus proposes, new faces are added, the records decide
ranking.py    the nearest subjects among faces that were read from the records
work.py       what is done in the background: the changes, the comparison with the records, after an outage too
changes.py    brings changes of the records to Milvus
comparison.py compares Milvus with the records, and repairs Milvus
server.py     how the service talks to Milvus
address.py    where it is
stored_rows.py
              the rows of faces in Milvus
"""

"""The gallery: collections of subjects and their enrolled faces.

gallery.py        what the decisions and routes call (reader.py: what only reads)
records/          what is stored, in SQLite or PostgreSQL: the truth
search/           what searches: in the memory of one process, or by a Milvus server
indexes/          the kinds of index: exact, FAISS
opening/          opens all of it
retention.py      deletes what is too old
backup/           the file of a backup, and the file of one collection
base.py, search_values.py
                  the values that go in and out
"""

"""Search with indexes in the memory of a process.

search.py              where one process owns the records: opens the search, and checks it against them
shared_search.py       where several replicas share them
collection_indexes.py  the indexes of all collections
collection_index.py    the index of one collection: built from the records, searched, changed, rewritten
followed_index.py      the same, where other replicas change the collection too
filled.py              an index with at least one face, and the subjects of its faces (face_subjects.py)
owned_faces.py         what a search reads of the records
readers_writer_lock.py the lock between searches and changes
"""

"""The gallery: collections of subjects and their enrolled faces.

gallery.py            what the decisions and routes call
records/              what is stored (SQLite): the truth
collection_index.py   the index of one collection, made from the records
indexes/              the kinds of index: exact, FAISS
base.py               the values that go in and out
"""

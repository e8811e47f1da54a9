"""A whole collection, out and in. Nothing of a subject or a face changes: the same ids, times, hashes and embeddings.

reading.py   a page of subjects or faces, in the order in which they were stored
storing.py   a part of a file
values.py    what the two give and take
"""

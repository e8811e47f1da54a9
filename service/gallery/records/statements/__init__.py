"""SQL statements. Each runs on the connection of an open transaction.

collections.py, subjects.py, faces.py
             what the gallery holds
storage.py   the database itself
paging.py    one page of a list
"""

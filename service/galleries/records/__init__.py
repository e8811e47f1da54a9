"""What is kept: tables and statements, one noun a file. SQLAlchemy is imported here and nowhere else.

schema.py        the tables
upgrade.py       what an older database needs to have them (../migrations)
database.py      transactions, and every way in which storage fails, as one error
collections.py, subjects.py, faces.py
                 statements; each is given the connection of a transaction that the gallery opened
paging.py        a part of a list
"""

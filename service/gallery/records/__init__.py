"""What is stored. SQLAlchemy is imported here and nowhere else.

schema.py          the tables
migrations/        the steps from the tables of an older version to these; migrate.py runs them
database.py        transactions, and every failure of the storage as one error
sqlite.py          how SQLite is set up
reading_beside.py  reads a database from another process
stored_files.py    notices that a file was taken away while the service runs
encryption/        how values are encrypted, and with which keys
stored_faces.py    what an index reads of the faces of its collection
grouped_changes.py
                   enrolments that wait at the same time, in one transaction; the same for deletions
housekeeping.py    the thread that removes remains of deleted content
statements/        what is asked of the database, and changed in it
"""

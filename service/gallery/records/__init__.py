"""What is stored. SQLAlchemy is imported here and nowhere else.

database.py        what every database offers: transactions, and how deleted content is removed
sqlite/            the records in a file
postgresql/        the records on a server
schema.py          the tables
migrations/        the steps from the tables of an older version to these; migrate.py runs them
encryption/        how values are encrypted, and with which keys
stored_faces.py    what a search reads: the faces of a collection, and which collections there are
grouped_changes.py enrolments that wait at the same time, in one transaction; the same for deletions
vector_changes.py  what a search server beside the records is to be told
shared_settings.py notices that another replica has changed a setting
statements/        what is asked of the database, and changed in it
"""

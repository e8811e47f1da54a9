"""SQL statements. Each runs on the connection of an open transaction.

collections.py, subjects.py, faces.py
             what the gallery holds
transactions.py
             all statements of one enrolment or deletion
keys.py      the access keys
encryption.py
             the data keys of collections
indexed_faces.py
             what indexes read of many faces, and where vectors are stored too
storage.py   the database itself, and the last line of the audit log
moving/      a whole collection, out and in
kept/        what is kept of a face beside its record
rules/       what is set for a collection: how long it keeps faces, and which calibration it uses
rows/        many new rows at once, and one page of a list
"""

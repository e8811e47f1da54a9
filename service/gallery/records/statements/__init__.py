"""SQL statements. Each runs on the connection of an open transaction.

collections.py, subjects.py, faces.py
             what the gallery holds
calibration.py
             the error rates of a collection, and the people to measure them on
transactions.py
             all statements of one enrolment or deletion
retention.py how long faces are kept
keys.py      the access keys
storage.py   the database itself, and the last line of the audit log
paging.py    one page of a list
"""

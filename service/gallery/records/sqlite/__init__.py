"""The records in a file of SQLite.

database.py        its transactions, and how deleted content is removed from its files
connections.py     how SQLite is set up
data_directory.py  the directory of the file, its lock and its mark
stored_files.py    notices that a file was taken away while the service runs
reading_beside.py  reads the file from another process
"""

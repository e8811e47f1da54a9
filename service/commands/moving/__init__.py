"""Files that are imported into a running service, or saved from one.

face_import.py        lines of embeddings
collection_file.py    the file of a collection, out and in
subject_export.py     all that is stored about a person
backup.py             the whole gallery
downloads.py          a file that gets its name when it is complete
commands.py           `facenet import`, `export` and `export-subject`
backup_commands.py    `facenet backup` and `restore`, and the keys that encrypt
"""

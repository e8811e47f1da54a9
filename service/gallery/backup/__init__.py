"""Backups: one file that holds the whole gallery at one moment. And files that hold one collection.

archive.py         the format of the file, how it is written and read
encrypted_file.py  the same file, encrypted by who saves it
restore.py         from a file to a data directory
collection_file.py, collection_export.py, collection_import.py
                   the format of the file of a collection, how it is written and read
"""

"""Backups: one file that holds the whole gallery at one moment.

archive.py         the format of the file, how it is written and read
encrypted_file.py  the same file, encrypted by who saves it
restore.py         from a file to a data directory
"""

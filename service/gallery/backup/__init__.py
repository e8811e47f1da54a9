"""Backups: one file that holds the whole gallery at one moment.

archive.py   the format of the file, how it is written and read
restore.py   from a file to a data directory
"""

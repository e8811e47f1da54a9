"""Encryption of the records. No SQL here: `statements/encryption.py` stores what these make.

key_file.py   the key of the operator: 256 bits in a file
data_keys.py  a data key for each collection, wrapped with the key of the operator
encrypt.py    encrypts a plain gallery, and replaces the key of the operator
ciphers.py    how the values of one collection are written: as they are, or encrypted
"""

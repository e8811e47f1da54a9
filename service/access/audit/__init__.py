"""The audit log: what was decided, changed and refused, in files to which lines are only added.

log.py            takes entries, and writes them in a thread of its own
files.py          the files of the log: their names, their rotation, and how long they are kept
line.py           one line, and how it is bound to the line before it
secret.py         the secret of the chain and of the pseudonyms
limits.py         how many refusals get a line of their own
request_lines.py  the line of a request
gallery_log.py    the log as the gallery uses it
writer.py         writes lines into files, and rotates them
verification.py   checks that no line was changed, removed, inserted or reordered
search.py         lines about a subject, and the line of a receipt
"""

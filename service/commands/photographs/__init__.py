"""Photographs on the disk of the client: which there are, and what a running service finds in them.

left_out.py           a file or folder that was not used, and why
folder_reader.py      the photographs below a folder
photograph_file.py    the bytes of a photograph, and why the service refused it
threads.py            several requests at once, which Ctrl-C does not wait for
face_finding.py       every face of every photograph, and its embedding
"""

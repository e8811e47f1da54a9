"""Who is in a photograph, and do two photographs show the same person?

identified.py     sends each photograph to POST /identify
table.py          the answers as CSV, as JSON lines, and for people
face_regions.py   the answers as XMP, for programs that manage photographs
demo.py           the service at work on real photographs
commands.py       `facenet identify`, `verify` and `demo`
"""

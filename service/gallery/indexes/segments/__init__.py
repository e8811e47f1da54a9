"""The index of a large collection: compressed faces, and the file that keeps them for the next start.

segmented.py  the index: new faces as they are, all others in segments
segment.py    faces that are searched by their codes
several_segments.py
              searches several segments at the same time
huge_pages.py memory pages of 2 MB for the codes
snapshot.py   a file with the segments of a collection
kept_snapshot.py
              whether there is one, and whether it is up to date
agreement.py  how often it finds what exact search finds
"""

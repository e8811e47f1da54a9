"""Find the faces of a photograph. A new detector is a new file here.

finding.py        all steps: detect, landmarks, in every turn, and nothing that is no face
pyramid.py        detect faces of every size, at several scales and in tiles
yunet.py          the detector
landmarks.py      the landmark network
quarter_turns.py  turn pictures, and turn points back
overlaps.py       of overlapping boxes, keep the best one
"""

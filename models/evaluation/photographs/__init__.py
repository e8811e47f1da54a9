"""Photographs as people send them: turned, with small faces, from close by, without a face.

turned.py       pairs of LFW that are turned: do strangers match, and is a person still recognised?
recall.py       which faces are found, by the width of the face and the size of the photograph
close_ups.py    a face that fills the photograph, and a small face beside it
no_face.py      how many pictures without a face get a face
composites.py   photographs that are put together from faces, so that the place of each face is known

Every photograph goes through the pipeline of the service, from the bytes of a file on. Each measurement is a report, as
in `experiments/`.
"""

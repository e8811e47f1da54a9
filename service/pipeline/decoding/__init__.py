"""From the bytes of a photograph to an upright RGB image. A new format is a new entry in `formats.py`.

decode.py       check the size, decode, make upright, convert to RGB
formats.py      the accepted formats, by their first bytes
jpeg.py         what only JPEG needs: the number of scans, files without their end
orientation.py  the EXIF orientation
"""

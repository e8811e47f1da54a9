"""From the bytes of a photograph to an upright RGB image. A new format is a new entry in `formats.py`.

decode.py       outline the file, decode its first picture, make it upright
formats.py      the accepted formats, by their first bytes
containers/     the structure of a file of each format, and its limits. No decoder is opened
pictures.py     the readers: Pillow for most formats, OpenCV for WebP
orientation.py  the EXIF orientation
cut_off.py      JPEG files without their end
"""

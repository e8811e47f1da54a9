"""The structure of a photograph's file, read in a limited number of steps, before a decoder is opened.

Each format has one function: from the bytes to an Outline. It refuses a file that would take a decoder too long or too
much memory, and it leaves out of the file what a decoder does not need.

outline.py    what an outline is, and the refusals
jpeg.py, png.py, webp.py, gif.py, bmp.py
heif.py       AVIF and HEIC: the items that a decoder reads, and their sizes
items.py      the items of a HEIF file: what they are, where they are, and how they belong together
boxes.py      the boxes of which AVIF and HEIC files are made
av1.py        the size that the AV1 data of an AVIF file has
hevc.py       the size that the HEVC data of a HEIC file has
bits.py       numbers of any number of bits
"""

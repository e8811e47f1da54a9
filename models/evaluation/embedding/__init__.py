"""Embed photographs with the code of the service.

files.py          embeds the main face of each file with the whole pipeline, many files at once
crops.py          does the same in two steps, for evaluations that need the crops
centre.py         embeds the fixed centre of each photograph of LFW, without a detector
degradations.py   changes a crop before it is embedded: JPEG, fewer pixels
"""

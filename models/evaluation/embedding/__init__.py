"""From photographs to embeddings, with the code of the service.

files.py          the main face of each file, through the whole pipeline, many files at once
centre.py         the fixed centre of each photograph of LFW, without a detector
crops.py          the same in two steps, for evaluations that need the crops
degradations.py   changes to a crop before it is embedded: JPEG, fewer pixels
"""

"""Model files.

card.py         what a file says about itself
clustering.py   the part of a card with the thresholds of clustering
model_file.py   how a file is opened
contents.py     what a file may hold; wire.py reads its bytes
catalogue.py    which files are known
"""

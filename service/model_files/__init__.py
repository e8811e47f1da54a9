"""Model files.

card.py         what a file says about itself
model_file.py   how a file is opened
catalogue.py    which files are known
"""

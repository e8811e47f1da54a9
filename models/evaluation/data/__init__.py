"""Which photographs are compared.

pairs.py        lists of pairs with folds, in the format of Labelled Faces in the Wild
identities.py   folders of people, PERSON/PHOTOGRAPH: all photographs are compared with each other
"""

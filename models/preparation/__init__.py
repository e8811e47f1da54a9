"""Photographs -> a set to train on: canvases in shards, and a report of what was left out and what looks wrong.

`folder.py` lists FOLDER/PERSON/PHOTOGRAPH and says who shares a shard, `croppings.py` makes a canvas of a photograph,
`shards.py` is the form on the disk, `flags.py` finds near duplicates and wrong labels by an existing model's
embeddings, and `prepare.py` does it all, many photographs at a time, and goes on where it was stopped.
"""

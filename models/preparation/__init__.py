"""A folder of photographs becomes a face set: canvases in shards, and a report of what was dropped and flagged.

A canvas is an aligned picture of a face with a border, for training. A shard is one tar file of canvases.

prepare.py             the whole preparation; it continues after an interruption
folder.py              lists FOLDER/PERSON/PHOTOGRAPH and plans the shards
cropping.py            a photograph becomes a canvas
shard_making.py        prepares the photographs of each shard in threads
shards.py              the files of a face set
shard_records.py       the records of finished shards, from which a later run continues
suspicious_faces.py    finds near duplicates and wrong labels by the embeddings of an existing model
flagging.py            applies suspicious_faces.py to all shards
report.py              report.json
output_folder.py       allows one run at a time in the output folder
"""

"""The faces of the training, from the files of `prepare` to the crops of a batch.

canvases.py          `Canvases`: pictures by row, either in memory or computed on demand
face_set.py          `FaceSet`: the faces that `prepare` wrote, in memory, with the person and the source of each
augmentation.py      `Augmenter`: cuts an augmented crop out of a canvas
blends.py            `Blends`: more canvases, each the weighted mean of two faces
sampling.py          `FaceSampler`: draws the faces of a batch for objectives that need no triplets
triplet_batches.py   `TripletBatches`: draws the faces of a batch for triplets, many faces of each person
loader.py            `BatchLoader`: makes the batches of a run in threads, ahead of the steps

An objective draws the rows of a batch, by a `FaceSampler` or by `TripletBatches`. The loader takes these rows of its
canvases and augments them.
"""

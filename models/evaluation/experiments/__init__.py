"""The tables and figures of FaceNet, one file each. The numbers of sections, tables and figures are the paper's.

lfw.py               section 5.6            Labelled Faces in the Wild, View 2: accuracy in ten folds
ytf.py               section 5.7            YouTube Faces: tracks of frames
verification.py      section 4, Table 3     VAL over five splits of people that the model was not trained on
roc.py               Figure 5               the ROC curves of several models
trend.py             Tables 5, 6, Figure 4  VAL against the dimension, the amount of training data, or the multiply-adds
image_quality.py     section 5.3, Table 4   VAL against JPEG quality and number of pixels
byte_embeddings.py   section 5.4            one byte for each coordinate of an embedding
wrong_pairs.py       Figure 6               the pairs of LFW that are decided incorrectly
one_cluster.py       section 5.8, Figure 7  the cluster of one person
clustering.py        section 5.8            mixed clusters and F against the number of faces
compatibility.py     appendix               harmonic embeddings: two models against each other

Each file holds a report (`rows`, `numbers`, `draw`, see `reports/report.py`) and a function `evaluate_...` that
measures it. `trend.py` and `roc.py` have no such function: they combine results of `verification.py`.
"""

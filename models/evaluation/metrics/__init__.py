"""Measures that are computed from distances, labels and graphs. Nothing here reads photographs.

labelled_pairs.py   pairs of photographs: VAL, FMR, thresholds, cross-validation, ROC
clustering.py       the agreement of clusters with people: pairwise and BCubed
multiply_adds.py    the cost of a model, counted in its ONNX graph
"""

"""SFace in 8-bit integers, for a CPU: `sface-int8` of the catalogue.

network.py   the published SFace as 27 convolutions, each with its PReLU, and one last layer
weights.py   weights in 8 bits whose sums no CPU cuts off
grids.py     the grid of each activation: which number each of its 256 integers stands for
sface.npz    the grids of SFace, measured on faces by `facenet-models calibrate-int8`
build.py     the graph that computes in integers
sface.py     the converter

All of the arithmetic is exact or elementwise. So every machine makes the same file, and no faces are needed to make it.
"""

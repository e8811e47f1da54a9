"""The objectives: what a network is trained for. An objective draws each batch and computes its loss.

base.py             the protocol `Objective` and its `ObjectiveLoss`: all that the training loop uses
build.py            builds the objective of a recipe
triplet.py          the objective of FaceNet: the triplet loss over semi-hard triplets
triplet_loss.py     the formula of the triplet loss
triplet_mining.py   the choice of triplets in a batch
classification.py   ArcFace and CosFace: each person is a class
distillation.py     the network learns the embeddings of a teacher
harmonic.py         triplets that mix the embeddings of a fixed network and of the network in training
teacher.py          the embeddings of a teacher, computed once and kept in files

To add an objective:

1. recipes/settings.py: write a dataclass with its settings, and add it to `ObjectiveSettings`.
   recipes/recipes.py: write a recipe that uses it.
2. A new file here: write a class with the members of `Objective`. It needs no base class. If the loss has weights of
   its own, return them as `head`: they are trained with the network. Otherwise `head` is an `nn.Identity`.
3. build.py: add a `case` that builds the class from the settings. mypy reports a missing case.
4. tests/models/training/objectives: compare the loss with its formula, and add the settings to the lists in
   test_build.py.
"""

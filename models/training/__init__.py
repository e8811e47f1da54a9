"""The training of a network by a recipe. To understand training, read the files in this order.

recipes/          every number of every run
job.py            `start_training`: from the name of a recipe and folders to a run. `facenet-models train` calls it.
loop.py           `run_training_loop`: trains batch by batch, evaluates, saves checkpoints. `start_training` calls it.
trainer.py        `Trainer.train_step`: one step. `run_training_loop` calls it for each batch.
objectives/       what the network is trained for. `train_step` calls `Objective.loss` for the loss of a batch.
optimisation/     the optimiser, the learning rate over the run, the gradient cache, the averaged weights
data/             the faces in memory, the draw of a batch, augmentation, and the loader that makes batches
random_streams.py the random numbers of a run, for each purpose
held_out.py       the evaluation on people who are not trained on
checkpoints.py    the state of a run in a file
journal.py        the losses and evaluations of a run in files
distributed.py    one run on several processes

The random numbers of a step depend only on the seed of the recipe and the number of the step. So a run that continues
from a checkpoint gives the same result as a run without a stop.

To add an objective, see `objectives/__init__.py`. To add a recipe, write it in `recipes/recipes.py`.
"""

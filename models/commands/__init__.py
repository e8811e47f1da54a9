"""The commands of `facenet-models`, one file for each stage of making a model.

    app.py              the whole application, and the end of a command that fails
    zoo.py              pull, photographs, check
    preparation.py      prepare
    architectures.py    profile
    training.py         train
    release.py          export, quantise
    calibration.py      calibrate, calibrate-between
    evaluation.py       evaluate ...: every table and figure of the paper
    compatibility.py    evaluate compatibility
    options.py          options that several commands share
    output.py           tables that are printed, and reports that are written

Packages that need seconds to import are imported inside the commands that use them. So `pull` stays fast.
"""

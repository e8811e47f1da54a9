"""The commands of `facenet-models`, one file for each stage of making a model.

    app.py              the whole application; prints the error of a command and sets the exit code
    zoo.py              pull, photographs, check
    preparation.py      prepare
    training.py         train, profile
    release.py          export, quantise
    calibration.py      calibrate, calibrate-between, calibrate-quality
    evaluation.py       evaluate ...: every table and figure of the paper
    clustering.py       evaluate cluster, clustering
    compatibility.py    evaluate compatibility
    photographs.py      evaluate turned, recall, close-ups, no-face, reject
    options.py          options that several commands share
    output.py           tables that are printed, and reports that are written

Some packages need seconds to import. They are imported inside the commands that use them, so that `pull` stays fast.
"""

"""The start of the command `facenet-models`. The commands are in `models/commands`."""

import os

# NumPy reads these when it is imported. One thread for each call, because photographs are embedded side by side.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from models.commands.app import main

if __name__ == "__main__":
    main()

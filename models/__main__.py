"""The start of the command `facenet-models`. The commands are in `models/commands`."""

import os

# NumPy reads these variables when it is imported. Each call uses one thread, because several photographs are embedded
# at the same time.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from models.commands.app import main

if __name__ == "__main__":
    main()

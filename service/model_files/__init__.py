"""Model files.

card.py         what a file says about itself
clustering.py   the part of a card with the thresholds of clustering
model_file.py   how a file is opened
execution/      on which provider it runs, and with which options
contents.py     what a file may hold; wire.py reads its bytes
catalogue.py    which files are known
"""

import os

# ONNX Runtime sends usage data to its makers unless this is set. It reads the variable when it is imported. Only this
# package imports it.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
# A model could otherwise bring options of its own, such as a file to write.
os.environ.pop("ORT_LOAD_CONFIG_FROM_MODEL", None)

"""Face detectors. A new kind of detector is a new file here."""

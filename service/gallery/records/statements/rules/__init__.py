"""What is set for a collection: how long it keeps faces, and which calibration it uses."""

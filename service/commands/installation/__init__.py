"""This installation: its settings, its models, and whether all is in order. No service has to run.

settings_list.py     how the settings are printed
health.py            all checks of `facenet doctor`
finding.py           what a check has found
machine_checks.py    versions, processor, execution provider
model_checks.py      the model files
key_checks.py        the access keys: that of the operator, and those in the gallery
gallery_checks.py    the data directory, the gallery, and the service that uses it
commands.py          `facenet settings`, `threshold` and `doctor`
"""

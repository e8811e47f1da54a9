"""The thresholds and error rates of a model's card, measured on a folder of people.

They are printed, not written to the card.

thresholds.py        the threshold of one model for identification: `facenet-models calibrate`
clustering.py        its thresholds for clustering: `facenet-models calibrate`
thresholds.py        the thresholds of one model, for identification and for clustering: `facenet-models calibrate`
error_rates.py       how often one model is wrong, at each threshold: `facenet-models calibrate`
between_models.py    the thresholds between two compatible models: `facenet-models calibrate-between`
"""

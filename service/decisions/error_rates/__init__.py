"""How sure a decision is: thresholds by error rates, the rates that are expected, and scores.

thresholds.py              the threshold of a decision, and the error rates that are expected there
advice.py                  the threshold for an error rate, for the command `facenet threshold`
score.py                   a number from 0 to 100 beside each distance
collection_calibration.py  whose error rates are used: those of the model, or the collection's own
"""

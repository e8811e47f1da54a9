"""Identification in an open set: people who are enrolled, and strangers. Rank-1, FNIR and FPIR (ISO/IEC 19795-1).

two_names.py        strangers who are set aside, because they are enrolled under another name
lfw_two_names.toml  the list of them for LFW
open_set.py         who is enrolled, who is searched, and what a search finds
promises.py         the FPIR that the calibration of a card promises, against the measured FPIR
report.py           the report of `facenet-models evaluate identification`
"""

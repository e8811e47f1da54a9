"""Write and show measurements.

report.py          the interface of a report; NAME.json and NAME.png
contact_sheet.py   a picture of many faces with captions
thumbnails.py      a photograph for a contact sheet, with the boxes of its faces
card_entries.py    the rows of a model's card, as TOML
"""

"""Sort photographs by person, and find people and photographs that are there twice.

people.py            clusters the faces of photographs
sorted_folder.py     writes a folder for each person, all or nothing
contact_sheets.py    draws the faces of each person in a row
report.py            who each face of each photograph is
doubles.py           files that are there twice, and the threshold of one person in two folders
same_people.py       one person in two folders
commands.py          `facenet cluster` and `facenet compare`
"""

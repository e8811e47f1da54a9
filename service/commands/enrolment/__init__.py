"""Enrol a folder of people in a running service, and delete one of them.

people_folder.py       the people of a folder, and their photographs
folder_enrolment.py    sends them
report.py              what was enrolled, what was not, and why
commands.py            `facenet enrol` and `delete-subject`
"""

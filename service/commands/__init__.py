"""Commands beside a running service. Nearly all call it over HTTP: only one process can open the gallery.

enrolment/        `facenet enrol` and `delete-subject`
recognition/      `facenet identify`, `verify` and `demo`
sorting/          `facenet cluster` and `compare`
moving/           `facenet import`, `export`, `export-subject`, `backup` and `restore`, and the keys that encrypt
installation/     `facenet doctor`, `settings` and `threshold`
key_commands.py   `facenet keys`
audit.py          `facenet audit`
photographs/      folders of photographs, and the faces in them
connection.py     the connection to the service
options.py        the options that several commands share
output.py         what commands print and write
"""

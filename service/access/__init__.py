"""Who may call the service, what they may do, and what was done.

audit/           the audit log: one line for each decision, change and refusal, in a chain
key.py           how a key looks, and how it is recognised
loaded_key.py    a key in memory: whether it is valid, and what was counted
new_file.py      a new file that only its owner can read
secret_file.py   the secrets in files: what keys are hashed with, the key of the operator, the key of the gallery
rates.py         requests a minute and images a day
shares.py        how much of a common limit one key may hold
keyring.py       all keys: create, find, rotate, revoke
opening.py       open the keyring; without a key, only programs on this machine may call the service
"""

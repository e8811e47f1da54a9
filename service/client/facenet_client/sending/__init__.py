"""How calls are sent.

transport.py    sends a call, and again while the service is busy
retries.py      which calls are sent again, and when
answers.py      a response becomes a result, or an error
"""

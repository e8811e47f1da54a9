"""The fields of requests and responses. Each file has the name of its route.

fields.py      field types that several requests share
images.py      what a client can send where an image is expected
responses.py   parts that several responses share
"""

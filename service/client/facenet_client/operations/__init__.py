"""What a client can do.

operation.py    turns a method that describes a call into one that sends it
decisions.py    verify, identify, cluster, embed
gallery.py      collections, subjects and faces
keys.py         access keys
service.py      the service itself, and all of the above

Each operation is written once, as a method that returns a `Call`. Its decorator makes two methods of it, with the same
arguments: that of `Client` returns the result, that of `AsyncClient` is awaited. So the two clients cannot differ.
"""

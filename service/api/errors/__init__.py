"""What can be wrong with a request in HTTP: its fields and options, its media type, its size, its syntax."""

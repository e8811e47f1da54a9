"""Commands that call a running service over HTTP. They are plain clients, since one process owns the gallery."""

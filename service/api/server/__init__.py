"""Connections, and the bytes on them: what happens before and around the application."""

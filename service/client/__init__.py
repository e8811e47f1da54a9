"""Commands that call a running service over HTTP. They do not open the gallery: only one process can."""

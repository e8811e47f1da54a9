"""The rules, free of HTTP: enrol, verify, identify, cluster. A verb is a file, and its route bears the same name."""

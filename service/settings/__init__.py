"""The settings of the service. Only `service.app` and the commands read them.

environment.py   all settings, and how they are read from the environment
groups.py        the groups of settings
in_force.py      what is in force where a setting has no value
types.py         paths, hosts, origins and addresses
"""

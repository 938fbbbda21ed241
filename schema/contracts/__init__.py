"""What the processes say to each other: typed stubs of workflows and activities, with their Input and Result models.

A stub carries the registered name; the implementation elsewhere carries the same name. Pure: no I/O, importable
inside the workflow sandbox.
"""

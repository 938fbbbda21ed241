"""Processes for what is not trusted: files to be parsed, and code to be run.

`levels.py` names how strong a sandbox is, `probe.py` proves at the start of a process which of them holds here, and
`launch.py` runs a job at that level. `inside.py` is what runs in the child: it raises the walls of `kernel.py` around
itself, then does the job. `escapes.py` holds the attacks by which a level is proved. docs/sandbox.md is the overview.
"""

"""Data that explains itself: a file of data in, its profile, findings, charts and insights out (docs/data.md).

Pure: no database, no HTTP, no Temporal. `analysing.py` is what others call; it runs `child.py` in the sandbox, where
the file is read (`reading.py` and the readers that it names), typed (`typing_columns.py`), profiled and examined.
"""

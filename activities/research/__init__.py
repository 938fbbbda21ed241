"""Research: from a task to subtasks, claims, findings and a cited report.

Pure logic and the two reasoners live here; what touches Temporal, the database or the object store is in
`activities.py`. Start reading at `reasoner.py` (the seam), then `extractive.py` and `models.py` (its two
implementations) and `citations.py` (the gate every report passes).
"""

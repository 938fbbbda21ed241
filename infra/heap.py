"""The heap of a long-lived process: what its garbage collector need not look at."""

import gc

COLLECT_AFTER_OBJECTS = 10_000


def keep_loaded() -> None:
    """Take all that is loaded by now out of the collector's sight, and let it run less often.

    What is loaded stays as long as the process. What comes from now on is short-lived by the thousands, and rarely
    cyclic; a workflow's thread, which may be the one that collects, has two seconds for a task.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER_OBJECTS)

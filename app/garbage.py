"""What Python's garbage collector looks at: not what a process imports and makes at its start, which stays to its end.

Those are more than 100,000 objects. To look through them takes a tenth of a second in which nothing else happens, again
and again while modules are imported, and again for every few thousand objects of new streams. Without them, the
collector looks at streams only.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_BETWEEN = 10_000
"""So many more objects than before, and the newest are looked through, which takes a millisecond. 700 by default: then
each few replies are looked at that are not over."""


@contextmanager
def imports() -> Iterator[None]:
    """What is imported in it is not looked at."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def keep() -> None:
    """From now on, do not look at what there is now."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_BETWEEN, *gc.get_threshold()[1:])

"""Work split over threads that ends together: one part's failure, or a person's Ctrl-C, stops the others."""

from __future__ import annotations

from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from threading import Event
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

ResultT = TypeVar("ResultT")


def side_by_side(parts: int, work: Callable[[int, Event], ResultT], name: str) -> list[ResultT]:
    """``work(number, stop)`` for each part at once; the results in order.

    Raises what the first part raised. Then, and on KeyboardInterrupt, ``stop`` is set: the parts look at it
    between two pages and end early, for nobody waits for hours until a doomed scan is through.
    """
    stop = Event()
    with ThreadPoolExecutor(parts, thread_name_prefix=name) as pool:
        jobs = [pool.submit(work, number, stop) for number in range(parts)]
        try:
            wait(jobs, return_when=FIRST_EXCEPTION)
            for job in jobs:
                if job.done():
                    job.result()
            return [job.result() for job in jobs]
        except BaseException:
            stop.set()
            raise

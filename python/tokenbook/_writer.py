"""Records what instrumented clients did, beside the user's own calls: they never wait for the disk and never fail
by it."""

from __future__ import annotations

import atexit
import collections
import json
import logging
import os
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

from .errors import from_fault

log = logging.getLogger("tokenbook")

THREADS = 4
"""Threads of one ledger at most; the ledger commits in groups, so that a few waiting at once cost no more than one."""
IDLE_SECONDS = 2.0
KEPT = 100_000
"""Jobs that may wait before further ones are dropped, and counted."""
FULL = f"{KEPT:,} records wait to be written; further ones are dropped until there is room"
EXIT_SECONDS = 10.0

_here = threading.local()


class Writer:
    """The queue of one ledger's records."""

    def __init__(self, record_ended: Callable[[], str]) -> None:
        self._record_ended = record_ended
        self._start()
        _writers.add(self)

    def _start(self) -> None:
        self._jobs: collections.deque[Callable[[], None]] = collections.deque()
        self._lock = threading.Lock()
        self._more = threading.Condition(self._lock)
        self._done = threading.Condition(self._lock)
        self._running = 0
        self._idle = 0
        self._unfinished = 0
        self._ended = 0
        """Calls that have ended since the last group was taken to be recorded."""
        self._reported: set[str] = set()
        self.failed = 0
        """Records that could not be written."""

    def ended(self, end: Callable[[], None]) -> None:
        """Takes a call that has ended, and whose record nobody asks for: such calls are recorded together."""
        with self._lock:
            self._ended += 1
            is_first, is_full = self._ended == 1, self._ended > KEPT
        if is_full:
            self.failed += 1
            self.report("full", FULL)
            return
        try:
            end()
        finally:
            if is_first:
                self.submit(self._record)

    def _record(self) -> None:
        # From here on whoever ends starts another group, also one that this one still takes along.
        with self._lock:
            self._ended = 0
        for fault in json.loads(self._record_ended())["faults"]:
            self.failure(from_fault(json.dumps(fault)))

    def submit(self, job: Callable[[], None]) -> None:
        """Queues a job and returns at once."""
        with self._lock:
            if self._unfinished >= KEPT:
                self.failed += 1
                dropped = True
            else:
                dropped = False
                self._jobs.append(job)
                self._unfinished += 1
                if self._idle >= len(self._jobs):
                    self._more.notify()
                elif self._running < THREADS:
                    self._running += 1
                    threading.Thread(target=self._work, name="tokenbook", daemon=True).start()
        if dropped:
            self.report("full", FULL)

    def flush(self, timeout: float | None = None) -> bool:
        """Waits until everything queued so far is done; tells whether it is.

        A thread that does this work waits for nothing: it would wait for itself.
        """
        if not self._unfinished or getattr(_here, "is_writing", False):
            return not self._unfinished
        with self._lock:
            return self._done.wait_for(lambda: self._unfinished == 0, timeout)

    def report(self, kind: str, message: object) -> None:
        """Says once that something went wrong."""
        with self._lock:
            is_new = kind not in self._reported
            self._reported.add(kind)
        if is_new:
            log.warning("a call could not be recorded: %s (said once; see Ledger.unrecorded)", message)

    def failure(self, error: BaseException) -> None:
        """Counts a record that could not be written, and says so once for each kind of error."""
        with self._lock:
            self.failed += 1
        self.report(getattr(error, "code", type(error).__name__), error)

    def _work(self) -> None:
        _here.is_writing = True
        while True:
            with self._lock:
                self._idle += 1
                has_job = self._more.wait_for(lambda: self._jobs, IDLE_SECONDS)
                self._idle -= 1
                if not has_job:
                    self._running -= 1
                    return
                job = self._jobs.popleft()
            try:
                job()
            except BaseException as error:
                self.failure(error)
            finally:
                del job  # Or it would hold its call until the next one comes.
                with self._lock:
                    self._unfinished -= 1
                    if not self._unfinished:
                        self._done.notify_all()


_writers: weakref.WeakSet[Writer] = weakref.WeakSet()
_open: dict[int, Any] = {}
"""Calls that were sent and have no record yet, by identity: a call is here until it ends, whoever else lets go of
it."""


def opened(flight: Any) -> None:
    """Keeps a call until it ends."""
    _open[id(flight)] = flight


def ended(flight: Any) -> None:
    """Lets a call go."""
    _open.pop(id(flight), None)


def end_all(book: object | None = None) -> None:
    """Ends the open calls of a ledger, or all there are, with what they have so far."""
    for flight in list(_open.values()):
        if book is None or flight.book is book:
            flight.stopped()


def flush(timeout: float | None = None) -> bool:
    """Waits until the records of all ledgers are written, for so many seconds at most; tells whether they are."""
    until = None if timeout is None else time.monotonic() + timeout
    return all(
        [writer.flush(None if until is None else max(0.0, until - time.monotonic())) for writer in list(_writers)]
    )


def _at_exit() -> None:
    end_all()
    if not flush(EXIT_SECONDS):
        log.warning("the process ends with calls that could not be recorded in %s s", EXIT_SECONDS)


def _after_fork() -> None:
    # The parent has these calls and its threads; here is neither.
    _open.clear()
    for writer in list(_writers):
        writer._start()


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

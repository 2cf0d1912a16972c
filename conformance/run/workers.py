"""Threads for calls that wait for a server, and for which nobody waits once the run is over."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")
Argument = TypeVar("Argument")


class Workers:
    """At most `most` threads that make calls in their order. `begin` is called once in each, before the first.

    Unlike with a ThreadPoolExecutor, the process does not wait for these threads at its end: after Ctrl-C, a silent
    server would otherwise delay the end by a whole timeout.
    """

    def __init__(self, most: int, name: str, begin: Callable[[], Any] = lambda: None) -> None:
        self._most = most
        self._name = name
        self._begin = begin
        self._calls: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._begun = 0
        self._closed = False

    def submit(self, call: Callable[..., T], *args: Any) -> Future[T]:
        """Have a call made. Once they are closed, the future is cancelled."""
        future: Future[T] = Future()
        with self._lock:
            if self._closed:
                future.cancel()
                return future
            self._calls.put((future, lambda: call(*args)))
            if self._begun < self._most:
                self._begun += 1
                threading.Thread(target=self._work, name=f"{self._name}_{self._begun}", daemon=True).start()
        return future

    def map(self, call: Callable[[Argument], T], arguments: Iterable[Argument]) -> list[T]:
        """What the calls with each argument return, in their order. Raises what the first one raises."""
        return [future.result() for future in [self.submit(call, one) for one in arguments]]

    def close(self) -> None:
        """Make no further call, and cancel those that wait; calls that are being made go on."""
        with self._lock:
            self._closed = True
        with contextlib.suppress(queue.Empty):
            while True:
                if wanted := self._calls.get_nowait():
                    wanted[0].cancel()
        self._calls.put(None)

    def _work(self) -> None:
        self._begin()
        while (wanted := self._calls.get()) is not None:
            future, call = wanted
            if future.set_running_or_notify_cancel():
                try:
                    result = call()
                except BaseException as problem:
                    future.set_exception(problem)
                else:
                    future.set_result(result)
        self._calls.put(None)  # For the next thread.

"""Parsing in a process of its own: a file that hangs, eats memory or kills its parser costs only that file.

One long-lived worker serves all files; it is replaced after a crash, a timeout or many files. Its answers are arrays
and JSON, never pickles, and are checked before anything is made of them.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import math
import os
import signal
import struct
import subprocess
import sys
import threading
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from .. import errors
from ..errors import InstrumentError, IntegrityError, WastelabError
from ..i18n import Message, say
from .base import Reading, Source, failure
from .checks import fault
from .container import unpack_readings

#: Files after which a worker is replaced, so that leaks of a parser stay small.
MOST_FILES = 1000
_START_SECONDS = 60.0


def parse(
    path_or_bytes: str | Path | bytes,
    name: str = "",
    *,
    format: str | None = None,
    timeout_s: float = 60.0,
    memory_mb: int = 2048,
) -> list[Reading]:
    """Every reading of a file, read in a worker process.

    Parameters
    ----------
    path_or_bytes : path or bytes
        The file, or its content.
    name : str
        Its name, for messages and for detection; that of the path by default.
    format : str, optional
        Name of a format to force.
    timeout_s : float
        Wall-clock and processor time after which the parser is stopped [s].
    memory_mb : int
        Address space of the parser [MiB]; not limited on Windows.

    Returns
    -------
    list of Reading
        At least one, stamped with the hash of the bytes that were sent.

    Raises
    ------
    InstrumentError
        As `read_all`, with the same classes; also if the parser crashed, took too long or needed too much memory.
    WastelabError
        If no worker can be started.
    """
    source = Source(path_or_bytes, name) if isinstance(path_or_bytes, bytes) else Source.open(path_or_bytes)
    if name:
        source.name = name
    if not source.data:
        raise failure(source.name, say("worker.empty"))
    with _lock:
        global _worker
        if _worker is not None and (_worker.files >= MOST_FILES or _worker.process.poll() is not None):
            _worker.close()
            _worker = None
        if _worker is None:
            _worker = _Worker()
        worker = _worker
        try:
            kind, body = worker.ask(source.data, source.name, format, timeout_s, memory_mb)
        except BaseException:  # also an interrupt: the answer to this request must not be taken for the next one's
            _worker = None
            worker.close()
            raise
    if kind == b"E":
        raise _error(body, source.name, memory_mb)
    return _checked(body, source, memory_mb)


def shutdown() -> None:
    """End the worker, if there is one; the next file starts another."""
    global _worker
    with _lock:
        if _worker is not None:
            _worker.close()
            _worker = None


class _Worker:
    """One worker process and the pipes to it."""

    def __init__(self) -> None:
        options: dict[str, Any] = {}
        if sys.platform == "win32":  # pragma: no cover
            options["creationflags"] = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
        else:
            options["start_new_session"] = True  # Ctrl-C is for the parent alone
        self.files = 0
        self._said: deque[bytes] = deque(maxlen=40)
        self._expired = False
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", f"{__package__}._worker_main"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=_environment(), **options,
        )  # fmt: skip
        self._drain = threading.Thread(target=self._keep_errors, name="wastelab-worker-stderr", daemon=True)
        self._drain.start()
        try:
            with self._deadline(_START_SECONDS):
                kind, _ = self._receive(64)
            if kind != b"W":
                raise EOFError
        except (EOFError, OSError):
            self.close()
            raise WastelabError(  # no fault of any file
                f"the process that reads instrument files could not be started{self._last_words()}. "
                f"Is {sys.executable} the Python that wastelab is installed in?"
            ) from None

    def ask(self, data: bytes, name: str, format: str | None, seconds: float, memory_mb: int) -> tuple[bytes, bytes]:
        """Send one file and wait for its answer.

        Raises
        ------
        InstrumentError
            If the worker died, was stopped or answered nonsense.
        """
        self.files += 1
        head = json.dumps(
            {"name": name, "format": format, "size": len(data), "seconds": seconds, "bytes": memory_mb * 2**20}
        ).encode()
        stdin = self._pipe(self.process.stdin)
        try:
            with self._deadline(seconds):
                with contextlib.suppress(OSError):  # it died: the answer will say so
                    stdin.write(struct.pack("<I", len(head)) + head)
                    stdin.write(data)
                    stdin.flush()
                kind, body = self._receive(memory_mb * 2**20)
        except (EOFError, OSError):
            raise failure(name, self._cause(seconds, memory_mb)) from None
        if kind not in (b"R", b"E"):
            raise failure(name, say("worker.nonsense", detail=kind.decode("latin-1")))
        return kind, body

    def close(self) -> None:
        """End the process and free its pipes."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._drain.join(timeout=2.0)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    # -- inside
    @contextlib.contextmanager
    def _deadline(self, seconds: float) -> Any:
        timer = threading.Timer(seconds, self._expire)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _expire(self) -> None:
        self._expired = True
        self.process.kill()

    def _receive(self, most: int) -> tuple[bytes, bytes]:
        stdout = self._pipe(self.process.stdout)
        head = stdout.read(9)
        if len(head) < 9:
            raise EOFError
        (size,) = struct.unpack("<Q", head[1:])
        if size > most:  # more than it was allowed to hold
            return b"?", b""
        body = stdout.read(size)
        if len(body) < size:
            raise EOFError
        return head[:1], body

    @staticmethod
    def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
        if pipe is None:
            raise EOFError
        return pipe

    def _keep_errors(self) -> None:
        """Keep the last lines of what it says; nothing of it reaches the terminal."""
        stderr = self.process.stderr
        while stderr is not None:
            try:
                line = stderr.readline(2000)
            except (OSError, ValueError):
                return
            if not line:
                return
            self._said.append(line)

    def _last_words(self) -> str:
        self._drain.join(timeout=2.0)
        lines = [line.decode("utf-8", "replace").strip() for line in self._said]
        lines = [line for line in lines if line]
        return f" (it said: {lines[-1][:300]})" if lines else ""

    def _cause(self, seconds: float, memory_mb: int) -> Message:
        """Why there is no answer, and what to do."""
        if self._expired:
            return say("worker.slow", seconds=f"{seconds:g}")
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=5.0)
        code = self.process.returncode
        if code is not None and code < 0:
            try:
                name = signal.Signals(-code).name
            except ValueError:
                name = f"signal {-code}"
            if name == "SIGXCPU":
                return say("worker.slow", seconds=f"{seconds:g}")
            if name == "SIGKILL":
                return say("worker.killed", memory=memory_mb)
            return say("worker.crashed", how=name + self._last_words())
        return say("worker.ended", code=str(code) + self._last_words())


_lock = threading.Lock()
_worker: _Worker | None = None


def _forget() -> None:
    """In a forked child: the worker is the parent's."""
    global _worker, _lock
    _worker = None
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
atexit.register(shutdown)


def _environment() -> dict[str, str]:
    """The parent's environment, with its import path and one thread for numerics."""
    root = str(Path(__file__).resolve().parents[2])
    paths = [p for p in sys.path if p]
    if root not in paths:
        paths.append(root)
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {**os.environ, **one, "PYTHONPATH": os.pathsep.join(paths), "MALLOC_ARENA_MAX": "2"}


def _error(body: bytes, name: str, memory_mb: int) -> WastelabError:
    """The error an answer carries; of a class of ours or `InstrumentError`."""
    try:
        said = json.loads(body)
        kind, message, where = str(said["class"]), str(said["message"]), str(said.get("where", ""))
        key, values = _text_of(said.get("key", ""), said.get("values", {}))
        problems = [(str(p[0]), *_text_of(p[1], p[2]), str(p[3])) for p in said.get("problems", ())]
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        return failure(name, say("worker.nonsense", detail="error"))
    if kind == "MemoryError":
        return failure(name, say("worker.memory", memory=memory_mb))
    if problems:
        from .sheets import Problem, SheetError

        return SheetError(
            name, [Problem(w, Message(k, v) if k else say("worker.said", message=m)) for w, k, v, m in problems]
        )
    found = getattr(errors, kind, None)
    if not (isinstance(found, type) and issubclass(found, WastelabError)):
        found = InstrumentError
    if issubclass(found, InstrumentError):
        return found(message, key=key, values=values, file=name, where=where)
    return found(message)


def _text_of(key: object, values: object) -> tuple[str, dict[str, str | int | float]]:
    """Key and placeholders of a text, if there is such a text; else nothing, and the English words are used."""
    if not isinstance(key, str) or not isinstance(values, dict) or not key:
        return "", {}
    clean = {str(k): v for k, v in values.items() if isinstance(v, str | int | float)}
    try:
        Message(key, clean).text()
    except (KeyError, ValueError, IndexError, TypeError, AttributeError):
        return "", {}
    return key, clean


def _checked(body: bytes, source: Source, memory_mb: int) -> list[Reading]:
    """Readings of an answer; whatever does not fit the format is refused."""
    try:
        _check_sizes(body, memory_mb * 2**20)
        readings = unpack_readings(body)
        found = next(filter(None, map(fault, readings)), "") if readings else "no reading"
        if found:
            raise ValueError(found)
    except (
        IntegrityError,
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        struct.error,
        RecursionError,
        OverflowError,
    ) as exc:
        raise failure(source.name, say("worker.nonsense", detail=str(exc)[:200])) from None
    return [replace(r, sha256=source.sha256, file=source.name) for r in readings]


def _check_sizes(body: bytes, most: int) -> None:
    """Refuse an answer that unfolds to more than its sender was allowed to hold."""
    (count,) = struct.unpack_from("<I", body, 0)
    position, total = 4, len(body)
    for _ in range(count):
        (size,) = struct.unpack_from("<Q", body, position)
        (length,) = struct.unpack_from("<I", body, position + 12)
        if position + 8 + size > len(body) or length > size:
            raise ValueError("it is cut")
        for _, _, dtype, shape, *_ in json.loads(body[position + 16 : position + 16 + length])["arrays"]:
            if not all(isinstance(n, int) and n >= 0 for n in shape):
                raise ValueError("an array of impossible shape")
            total += np.dtype(dtype).itemsize * math.prod(shape)
        if total > most:
            raise ValueError("it unfolds to more than the memory allowed")
        position += 8 + size
    if position != len(body):
        raise ValueError("bytes are left over")

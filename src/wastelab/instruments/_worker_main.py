"""The process that parses strangers' files: requests on stdin, answers on stdout, nothing else.

A request is the length of a JSON head (4 bytes), the head ``{"name", "format", "size", "seconds", "bytes"}`` and the
file. An answer is a letter (``R`` readings, ``E`` error, ``W`` ready), the length of its body (8 bytes) and the body.
Started by `worker`; limits itself before each file.
"""

from __future__ import annotations

import json
import os
import struct
import sys
from typing import Any, BinaryIO

_MOST_PROBLEMS = 1000
_MOST_TEXT = 100_000


def limit(seconds: float, memory: int) -> None:
    """Limit this process to `memory` bytes of address space and to `seconds` more of processor time (POSIX)."""
    try:
        import resource
    except ImportError:  # pragma: no cover - Windows: only the clock of the parent limits
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = int(used.ru_utime + used.ru_stime + seconds) + 2
    for kind, wanted in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CPU, cpu), (resource.RLIMIT_CORE, 0)):
        try:
            _, hard = resource.getrlimit(kind)
            if hard != resource.RLIM_INFINITY:
                wanted = min(wanted, hard)
            resource.setrlimit(kind, (wanted, hard))
        except (ValueError, OSError):  # some systems know a limit and refuse to set it
            continue


def describe(exc: BaseException, file: str) -> dict[str, Any]:
    """An error as the answer carries it."""
    from ..errors import InstrumentError, WastelabError
    from ..i18n import say
    from .base import failure

    if not isinstance(exc, WastelabError):  # ours, not the file's
        exc = failure(file, say("worker.fault", detail=f"{type(exc).__name__}: {str(exc)[:500]}"))
    out: dict[str, Any] = {"class": type(exc).__name__, "message": str(exc)[:_MOST_TEXT]}
    if isinstance(exc, InstrumentError):
        out |= {"key": exc.key, "values": exc.values, "where": exc.where}
    problems = getattr(exc, "problems", None)
    if isinstance(problems, list):
        out["problems"] = [
            [str(p.where)[:1000], p.key, dict(p.values), str(p.problem)[:2000]] for p in problems[:_MOST_PROBLEMS]
        ]
    return out


def answer(out: BinaryIO, kind: bytes, body: bytes) -> None:
    """Write one answer."""
    out.write(kind + struct.pack("<Q", len(body)))
    out.write(body)
    out.flush()


def serve(requests: BinaryIO, out: BinaryIO) -> None:
    """Answer requests until there are no more."""
    from .container import pack_readings
    from .read import read_bytes, readers

    readers()
    answer(out, b"W", b"")
    while True:
        size = requests.read(4)
        if len(size) < 4:
            return
        head = json.loads(requests.read(struct.unpack("<I", size)[0]))
        limit(head["seconds"], head["bytes"])
        try:
            data = requests.read(head["size"])
            if len(data) != head["size"]:
                return
            body = pack_readings(read_bytes(data, head["name"], format=head["format"]))
        except MemoryError:
            data = body = b""
            answer(out, b"E", json.dumps({"class": "MemoryError", "message": ""}).encode())
        except Exception as exc:
            answer(out, b"E", json.dumps(describe(exc, head["name"]), default=str).encode())
        else:
            answer(out, b"R", body)


def main() -> None:
    """Take stdin and stdout for the protocol, so that a parser that prints does not garble it."""
    requests, out = os.dup(0), os.dup(1)
    if sys.platform == "win32":  # pragma: no cover
        import msvcrt

        msvcrt.setmode(requests, os.O_BINARY)
        msvcrt.setmode(out, os.O_BINARY)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    with os.fdopen(requests, "rb") as source, os.fdopen(out, "wb") as sink:
        serve(source, sink)


if __name__ == "__main__":
    main()

"""Runs the program: in a session of its own, within limits, its output in temporary files."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass

# How much of standard error is kept.
MOST_ERRORS = 4096


class Failure(Exception):
    """The input was not analysed: the message says why, and what to do."""


@dataclass(frozen=True)
class Limits:
    """What one run may take.

    memory counts beyond the input's own size, because an image is mapped whole and RLIMIT_AS counts
    that. None leaves the memory to the cgroup that the process runs in.
    """

    seconds: float = 600.0
    memory: int | None = None
    #: Bytes that it may print; who reads them takes some five times as much.
    output: int = 64 << 20


@dataclass(frozen=True)
class Run:
    """A run that has ended."""

    output: bytes
    errors: str
    #: None where a signal ended it.
    status: int | None
    signal: int | None
    timed_out: bool
    #: Whether the output ended at the limit of files.
    cut_off: bool
    seconds: float
    cpu_seconds: float
    #: In bytes.
    peak_memory: int


def wanted_program(program: str | None = None) -> str:
    """What to look for: the argument, PTDUMP_LINT, or the program's name."""
    return program or os.environ.get("PTDUMP_LINT") or "ptdump-lint"


def find_program(program: str | None = None) -> str:
    """The path of what is looked for; PATH finds a name."""
    wanted = wanted_program(program)
    found = shutil.which(wanted)
    if found is None:
        raise Failure(f"{wanted} is not there: install ptdump-lint, or set PTDUMP_LINT to its path")
    return os.path.abspath(found)


def run(
    arguments: Sequence[str], limits: Limits = Limits(), input_size: int = 0, folder: str | None = None
) -> Run:
    """Runs a program and everything that it starts to the end.

    A temporary file takes what it prints, so that no pipe fills and no reader waits for an orphan.
    """
    # A shell sets the limits before the program's first byte runs, and becomes the program.
    words = [f"ulimit -f {-(-limits.output // 512)}", "ulimit -c 0"]
    if limits.memory is not None:
        words.append(f"ulimit -v {(limits.memory + input_size) // 1024}")
    line = " && ".join(words) + ' && exec "$@"'
    with tempfile.TemporaryFile(dir=folder) as output, tempfile.TemporaryFile(dir=folder) as errors:
        start = time.monotonic()
        child = subprocess.Popen(
            ["/bin/sh", "-c", line, "sh", *arguments],
            stdin=subprocess.DEVNULL, stdout=output, stderr=errors, start_new_session=True)
        timed_out = not _ended(child.pid, limits.seconds)
        # The group outlives its leader until that is reaped, so the number is still ours.
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        _, code, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(code)
        seconds = time.monotonic() - start
        output.seek(0, os.SEEK_END)
        size = output.tell()
        output.seek(0)
        errors.seek(0, os.SEEK_END)
        errors.seek(max(0, errors.tell() - MOST_ERRORS))
        return Run(
            output=output.read(), errors=errors.read().decode(errors="replace"),
            status=os.WEXITSTATUS(code) if os.WIFEXITED(code) else None,
            signal=os.WTERMSIG(code) if os.WIFSIGNALED(code) else None,
            timed_out=timed_out, cut_off=size >= limits.output, seconds=seconds,
            cpu_seconds=usage.ru_utime + usage.ru_stime, peak_memory=usage.ru_maxrss * 1024)


def _ended(pid: int, seconds: float) -> bool:
    """Waits for a process, and leaves it to be reaped; False where the time is over first."""
    descriptor = os.pidfd_open(pid)
    try:
        ready, _, _ = select.select([descriptor], [], [], seconds)
    finally:
        os.close(descriptor)
    return bool(ready)

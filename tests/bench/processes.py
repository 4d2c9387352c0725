"""Processes the benchmarks start, and what they use.

Every process is started here, in a session of its own; only those are ever ended, by their ids. CPU time and peak memory
count a process with its children.
"""

import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

# Seconds a process has to end by itself after SIGTERM.
GRACE = 5.0
# Seconds between two looks at the memory of what runs. The kernel keeps the peak, so little is lost at the end.
LOOK_EVERY = 0.05

TICKS = os.sysconf("SC_CLK_TCK")
MIB = 1 << 20


class Failed(Exception):
    """Something that was to be measured did not work."""


@dataclass
class Process:
    """A process, until it is waited for or stopped."""

    words: list
    popen: subprocess.Popen
    log: Path
    started: float
    peaks: dict = field(default_factory=dict)
    cpu_total: float = 0.0
    ended: float = 0.0

    @property
    def pid(self):
        return self.popen.pid

    def cpu(self):
        """CPU seconds so far, children included."""
        return self.cpu_total if self.popen.returncode is not None else sum(map(cpu_of, tree(self.pid)))

    def peak(self):
        """MiB of its largest process."""
        return max(self.peaks.values(), default=0) / MIB

    def look(self):
        for pid in tree(self.pid):
            if peak := peak_of(pid):
                self.peaks[pid] = max(peak, self.peaks.get(pid, 0))

    def reap(self, block):
        """Whether it has ended."""
        if self.popen.returncode is not None:
            return True
        pid, status, usage = os.wait4(self.pid, 0 if block else os.WNOHANG)
        if pid == 0:
            return False
        self.ended = time.monotonic()
        self.cpu_total = usage.ru_utime + usage.ru_stime
        self.popen.returncode = os.waitstatus_to_exitcode(status)
        return True

    def wait(self, limit):
        """Waits for a good end; seconds it took."""
        timer = threading.Timer(limit, lambda: self.popen.returncode is None and os.kill(self.pid, signal.SIGKILL))
        timer.start()
        try:
            self.reap(block=True)
        finally:
            timer.cancel()
        if self.popen.returncode != 0:
            raise Failed(f"{' '.join(map(str, self.words))}: exit {self.popen.returncode}\n{self.said()[-2000:]}")
        return self.ended - self.started

    def stop(self):
        """Ends it, and what it started."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.reap(block=False):
                break
            os.kill(self.pid, number)
            deadline = time.monotonic() + GRACE
            while not self.reap(block=False) and time.monotonic() < deadline:
                time.sleep(0.01)
        try:
            os.killpg(self.pid, signal.SIGKILL)  # Its own session: what a killed parent left behind.
        except ProcessLookupError:
            pass
        for pipe in (self.popen.stdin,):
            if pipe:
                pipe.close()

    def said(self):
        return self.log.read_text(errors="replace")

    def wait_for(self, word, limit=60.0):
        """Waits until it has said `word`; the line it stands in."""
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline:
            for line in self.said().splitlines():
                if word in line:
                    return line
            if self.reap(block=False):
                break
            time.sleep(0.01)
        raise Failed(f"{' '.join(map(str, self.words))} never said `{word}`:\n{self.said()[-2000:]}")


class Processes:
    """Everything that was started and is not stopped yet; a context that leaves nothing running."""

    def __init__(self, logs):
        self.logs, self.running, self.count = logs, [], 0
        self.lock = threading.Lock()
        self.looking = threading.Thread(target=self._look, daemon=True)

    def __enter__(self):
        self.looking.start()
        return self

    def __exit__(self, *_):
        self.stop_all()

    def start(self, words, env, cwd=None, stdin=False):
        words = [str(word) for word in words]
        self.count += 1
        log = self.logs / f"{self.count:03}-{os.path.basename(words[0])}.log"
        # It ends with us even when we are killed.
        with log.open("wb") as out:
            started = time.monotonic()
            popen = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *words],
                stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=env,
                cwd=cwd,
                start_new_session=True,
            )
        process = Process(words, popen, log, started)
        with self.lock:
            self.running.append(process)
        return process

    def stop(self, process):
        process.look()
        process.stop()
        with self.lock:
            self.running.remove(process)

    def stop_all(self):
        for process in list(self.running):
            self.stop(process)

    def _look(self):
        while True:
            with self.lock:
                running = list(self.running)
            for process in running:
                if process.popen.returncode is None:
                    process.look()
            time.sleep(LOOK_EVERY)


def tree(pid):
    """A process and its descendants that are there."""
    pids = [pid]
    for parent in pids:
        try:
            pids.extend(map(int, Path(f"/proc/{parent}/task/{parent}/children").read_text().split()))
        except OSError:
            pass  # It has ended meanwhile.
    return pids


def cpu_of(pid):
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0  # It has ended meanwhile.
    # utime, stime, and those of children that were waited for.
    return sum(map(int, fields[11:15])) / TICKS


def peak_of(pid):
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0  # It has ended meanwhile.
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)


class Machine:
    """The share of all cores that was busy since this was made."""

    def __init__(self):
        self.before = self._read()

    def busy(self):
        all_before, idle_before = self.before
        all_now, idle_now = self._read()
        return 1 - (idle_now - idle_before) / max(all_now - all_before, 1)

    @staticmethod
    def _read():
        ticks = list(map(int, Path("/proc/stat").read_text().splitlines()[0].split()[1:9]))
        return sum(ticks), ticks[3] + ticks[4]

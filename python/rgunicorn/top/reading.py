"""`Reader`: looks at one server, again and again. The server does not notice."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from rgunicorn.top import boards, processes
from rgunicorn.top.finding import NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rgunicorn._core import FlightsDisplay, Sighting, Snapshot, WorkerView
    from rgunicorn.top.finding import Server
    from rgunicorn.top.processes import Usage

# Nanoseconds after which a worker whose requests nobody finds is one that does not show them: the
# master makes their memory just after it has taken the slot.
_PATIENCE_NS = 5_000_000_000


class Ended(Exception):
    """The server that was looked at is not there any more."""


@dataclass(frozen=True)
class Sample:
    """A server at one moment. Workers are named by the serial number of their fork (`age`)."""

    pid: int
    """The master, as seen from here; in a container it may have another number."""
    at: float
    """Seconds since 1970."""
    snapshot: Snapshot
    """What the scoreboard says."""
    command: str = ""
    addresses: tuple[str, ...] = ()
    usage: dict[int, Usage] = field(default_factory=dict)
    """What the workers that live use, as far as we are told."""
    running: dict[int, list[Sighting]] = field(default_factory=dict)
    """What they run; without those that do not show it."""


class Reader:
    """Looks at `server`.

    Raises:
        NotFound: its scoreboard can not be read.
    """

    def __init__(self, server: Server) -> None:
        self.server = server
        self._command = processes.command(server.pid)
        self._is_contained = processes.inner_pid(server.pid) != server.pid
        self._flights: dict[int, FlightsDisplay] = {}
        pid = server.pid
        try:
            # One for the whole life of the master, whatever `worker_tmp_dir` says later.
            self._display = boards.of(pid)[0].open()
        except ValueError as exc:
            raise NotFound(
                f"the server with pid {pid} is of another version: {exc}; "
                "use the rgunicorn that it was started with"
            ) from None
        except PermissionError:
            raise NotFound(
                f"the server with pid {pid} is of user {processes.user(pid)}: only that user "
                "and root may look at it"
            ) from None
        except (OSError, IndexError):
            raise NotFound(f"the server with pid {pid} has just ended") from None
        self._look_up()

    def _look_up(self) -> None:
        """What may be another after a reload."""
        self._reloads = self._display.snapshot()["server"]["reloads"]
        self._addresses = tuple(processes.addresses(self.server.pid))

    def sample(self, shares: bool = False) -> Sample:
        """Looks at the server now.

        Args:
            shares: also at the PSS of its workers, which costs the kernel 20 ms for each GB.

        Raises:
            Ended: it is gone.
        """
        if not self.server.lives():
            raise Ended
        snapshot = self._display.snapshot()
        if snapshot["server"]["reloads"] != self._reloads:
            self._look_up()
        workers = [worker for worker in snapshot["workers"] if worker["alive"]]
        pids = self._pids(workers)
        self._find_flights(workers, snapshot["now_ns"])
        usage = {age: processes.usage(pid, shares) for age, pid in pids.items()}
        running = {
            worker["age"]: self._flights[worker["age"]].running()
            for worker in workers
            if worker["age"] in self._flights
        }
        return Sample(
            self.server.pid,
            time.time(),
            snapshot,
            self._command,
            self._addresses,
            usage,
            running,
        )

    def _pids(self, workers: list[WorkerView]) -> dict[int, int]:
        """The workers' pids as seen from here, by age."""
        pids = {worker["age"]: worker["pid"] for worker in workers if worker["pid"]}
        if not self._is_contained:
            return pids
        seen = {processes.inner_pid(pid): pid for pid in processes.children(self.server.pid)}
        return {age: seen[pid] for age, pid in pids.items() if pid in seen}

    def _find_flights(self, workers: list[WorkerView], now_ns: int) -> None:
        ages = {worker["age"] for worker in workers}
        self._flights = {age: it for age, it in self._flights.items() if age in ages}
        if any(
            worker["age"] not in self._flights
            and (not self._flights or now_ns - worker["claimed_ns"] < _PATIENCE_NS)
            for worker in workers
        ):
            for display in boards.flights(self.server.pid):
                _, age = display.label
                if age in ages:
                    self._flights.setdefault(age, display)

"""What can go wrong in a measurement, told apart from a bug of the harness."""


class BenchError(Exception):
    """A measurement that must not be reported: a wrong answer, a dead server, a failed build."""


class Unavailable(Exception):
    """A peer that can not run on this machine; the message says why."""

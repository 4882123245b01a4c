"""The end of a server process: first it is unready, then it closes."""

from time import monotonic


class Drain:
    """Whether a server is about to stop: for some seconds it is unready, but still serves those who come."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end: float | None = None

    def begin(self) -> None:
        """Become unready. Later calls change nothing."""
        if self._end is None:
            self._end = monotonic() + self._seconds

    @property
    def has_begun(self) -> bool:
        return self._end is not None

    @property
    def is_over(self) -> bool:
        """Whether the listener may close."""
        return self._end is None or monotonic() >= self._end

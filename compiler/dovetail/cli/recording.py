"""What a traced run remembers."""

import time
from collections.abc import Callable, Mapping

from dovetail.cli.feeds import Array
from dovetail.report import TracedRun
from dovetail.runtime import Span

Run = Callable[[Mapping[str, Array]], dict[str, Array]]


class Recorder:
    """Notes when runs, one after the other, began and ended, and the partitions in them."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self.runs: list[TracedRun] = []
        self._spans: list[Span] = []

    def observe(self, span: Span) -> None:
        """Note a partition; for an executor, whose devices call it from their threads."""
        self._spans.append(span)

    def around(self, run: Run) -> Run:
        """The same run, noted whenever it ends well."""

        def noted(feeds: Mapping[str, Array]) -> dict[str, Array]:
            self._spans.clear()
            start = time.perf_counter_ns()
            outputs = run(feeds)
            self.runs.append(TracedRun(start, time.perf_counter_ns(), tuple(self._spans)))
            return outputs

        return noted

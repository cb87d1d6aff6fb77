"""What a pass is."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from dovetail.ir import Graph


@dataclass(frozen=True)
class GraphPass(ABC):
    """One change to a graph, or one kind of tag on it.

    A pass leaves the graph valid, computes the same outputs as before, and says whether it changed anything. Its
    options are its fields. The name stands in four places: here, on the command line, in the file and in the test.
    """

    name: ClassVar[str]

    @abstractmethod
    def run(self, graph: Graph) -> bool:
        """Change or tag the graph. Returns whether anything changed; tagging passes return False.

        Raises:
            PassError: the pass could not do its work.
        """

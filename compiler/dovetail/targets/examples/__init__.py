"""Made-up operators that keep or break a rule."""

from dovetail.targets.examples.goals import Goal, goals_of
from dovetail.targets.examples.search import Example, draft_of, examples_of, find, missing, outcome_of

__all__ = ["Goal", "goals_of", "Example", "draft_of", "examples_of", "find", "missing", "outcome_of"]

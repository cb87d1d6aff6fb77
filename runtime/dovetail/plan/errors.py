"""Every error that Dovetail raises on purpose.

    DovetailError                what the user gave can't be used; the command line exits with 2
    ├── ModelError               a model file, its external data, or a binding option
    ├── PassError                a compiler pass could not do its work
    ├── TargetError              a target description
    ├── PartitionError           a placement or a partitioning broke its own rules
    ├── LoweringError            a partition could not be lowered for its device
    ├── PlanError                a plan folder: format, digests, paths
    └── RunError                 feeds that do not fit the plan, or a device that failed in strict mode

A message names the object, the rule, what was got, and what to do. Anything else that is raised is a bug.
"""


class DovetailError(Exception):
    """Root of Dovetail's errors. Its text is one line made for the user."""


class ModelError(DovetailError):
    """A model, its external data or a binding can't be used."""


class PassError(DovetailError):
    """A compiler pass failed; the text names the pass and the node."""


class TargetError(DovetailError):
    """A target description can't be used; the text names file and field."""


class PartitionError(DovetailError):
    """A placement or partitioning breaks a rule that must always hold."""


class LoweringError(DovetailError):
    """A partition can't be lowered for its device."""


class PlanError(DovetailError):
    """A plan folder is damaged, of another schema, or not a plan."""


class RunError(DovetailError):
    """Feeds do not fit the plan, or a device failed and `strict` forbids a fallback."""

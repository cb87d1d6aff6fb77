"""Limits of a number, shared by every rule that has a least and a most."""

from pydantic import BaseModel, model_validator

from dovetail.targets.facts import show


class Bounds(BaseModel):
    """Limits of a number; either end may be left open or excluded."""

    min: float | None = None
    """The least that is allowed."""
    max: float | None = None
    """The most that is allowed."""
    exclusive_min: bool = False
    """`min` itself is not allowed."""
    exclusive_max: bool = False
    """`max` itself is not allowed."""

    @model_validator(mode="after")
    def _in_order(self) -> "Bounds":
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {show(self.min)} is above max {show(self.max)}")
        return self

    def bounded(self) -> bool:
        """Return whether there is a limit at all."""
        return self.min is not None or self.max is not None

    def within(self, value: float) -> bool:
        """Return whether `value` keeps both limits."""
        low = self.min is None or (value > self.min if self.exclusive_min else value >= self.min)
        high = self.max is None or (value < self.max if self.exclusive_max else value <= self.max)
        return low and high

    def bounds_text(self) -> str:
        """Return the limits in words: `in [1, 32]`, `at least 1`, `below 65536`."""
        low, high = show(_short(self.min)), show(_short(self.max))
        if self.min is not None and self.max is not None:
            if self.min == self.max:
                return low
            return f"in {'(' if self.exclusive_min else '['}{low}, {high}{')' if self.exclusive_max else ']'}"
        if self.min is not None:
            return f"above {low}" if self.exclusive_min else f"at least {low}"
        return f"below {high}" if self.exclusive_max else f"at most {high}"


def _short(value: float | None) -> float | int | None:
    return int(value) if value is not None and value.is_integer() else value

"""Which tensors a rule speaks of, and rules about each of them by itself."""

from abc import abstractmethod

from pydantic import Field

from dovetail.targets.facts import Context, MissingFactError, named_tensor
from dovetail.targets.rules.base import Broken, Rule, Strings, dtype_in
from dovetail.targets.view import OperatorView, TensorView


def select(op: OperatorView, references: tuple[str, ...]) -> list[tuple[str, TensorView]]:
    """Return the tensors that a rule speaks of, with the words it uses for them; absent ones are left out.

    A reference is a formal name (`X`), a position (`input[0]`, `output[1]`), `inputs`, `outputs`, `activations`
    (inputs that are not constant) or `*` for all.
    """
    found: dict[str, TensorView] = {}
    for reference in references:
        for label, tensor in _referred(op, reference):
            if tensor is not None:
                found.setdefault(label, tensor)
    return list(found.items())


def _referred(op: OperatorView, reference: str) -> list[tuple[str, TensorView | None]]:
    if reference == "*":
        return _inputs(op) + _outputs(op)
    if reference == "inputs":
        return _inputs(op)
    if reference == "outputs":
        return _outputs(op)
    if reference == "activations":
        return [(label, tensor) for label, tensor in _inputs(op) if tensor is None or tensor.constant is None]
    for prefix, group in (("input[", _inputs), ("output[", _outputs)):
        if reference.startswith(prefix):
            index = int(reference.removeprefix(prefix).removesuffix("]"))
            return group(op)[index : index + 1]
    return [(reference, named_tensor(op, reference))]


def _inputs(op: OperatorView) -> list[tuple[str, TensorView | None]]:
    return [(_label(op.input_names, "input", index), tensor) for index, tensor in enumerate(op.inputs)]


def _outputs(op: OperatorView) -> list[tuple[str, TensorView | None]]:
    return [(_label(op.output_names, "output", index), tensor) for index, tensor in enumerate(op.outputs)]


def _label(names: tuple[str, ...], group: str, index: int) -> str:
    repeated = index >= len(names) or names.count(names[index]) > 1
    return f"{group}[{index}]" if repeated else names[index]


class TensorRule(Rule):
    """A rule about each of some tensors by itself."""

    tensor: Strings = Field(default=("input[0]",), min_length=1)
    """Formal names, `input[0]`, `output[0]`, `inputs`, `outputs`, `activations` or `*`."""

    @abstractmethod
    def test_tensor(self, tensor: TensorView, op: OperatorView, context: Context) -> Broken | None:
        """Test one tensor."""

    def subject(self) -> str:
        """Return the tensors in words."""
        words = {"*": "every tensor", "inputs": "every input", "outputs": "every output"}
        words["activations"] = "every input that is not constant"
        return " and ".join(words.get(name, name) for name in self.tensor)

    def main_tensor(self, op: OperatorView) -> TensorView | None:
        """Return None: `when_dtype` is looked at tensor by tensor."""
        return None

    def test(self, op: OperatorView, context: Context) -> Broken | None:
        """Test each tensor; one that breaks the rule counts more than one that can't be decided."""
        broken: list[Broken] = []
        missing: MissingFactError | None = None
        selected = select(op, self.tensor)
        for label, tensor in selected:
            try:
                if self.when_dtype and not dtype_in(tensor, self.when_dtype, context):
                    continue
                outcome = self.test_tensor(tensor, op, context)
            except MissingFactError as error:
                missing = missing or error
                continue
            if outcome is not None:
                prefix = f"{label}: " if len(selected) > 1 or label not in self.tensor else ""
                broken.append(Broken(prefix + outcome.got, outcome.fix))
        if broken:
            return Broken("; ".join(item.got for item in broken), broken[0].fix)
        if missing is not None:
            raise missing
        return None

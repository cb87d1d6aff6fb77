"""The expression language of `predicate`, `table`, `match` and `when`: arithmetic and logic over one operator.

Names are attributes (`strides`), formal inputs and outputs (`X`, `W`, `Y`) and properties of the variant
(`htp_arch`); an absent one is None. A tensor has `N C D H W`, `K` (its last dimension), `rank`, `shape`,
`spatial` (the dimensions from the third on), `size`, `dtype`, `bytes` (of an element) and `value` (of a small
constant). The functions are those of `functions.py`, `inputs()` (all that are given) and `implies(a, b)`.
`and`, `or` and `implies` look at their second part only where it matters.

An expression that needs a fact the model does not state is undecidable: it raises MissingFactError.
"""

import ast
import operator
import threading
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Annotated, Final

import numpy as np
import simpleeval
from pydantic import AfterValidator

from dovetail.targets.facts import Context, MissingFactError, attribute_of, named_tensor, show
from dovetail.targets.functions import FUNCTIONS, OPERATOR_FUNCTIONS
from dovetail.targets.values import TENSOR_FIELDS, TensorValue
from dovetail.targets.view import OperatorView

_LONGEST: Final = 600


def _arithmetic(function: Callable[[float, float], float]) -> Callable[[object, object], float]:
    """Return `function` for numbers only: text and tuples are never repeated or formatted."""

    def apply(left: object, right: object) -> float:
        if not isinstance(left, int | float) or not isinstance(right, int | float):
            raise TypeError(f"{show(left)} and {show(right)} are not both numbers")
        return function(left, right)

    return apply


_OPERATORS: Final = {
    ast.Add: _arithmetic(operator.add),
    ast.Sub: _arithmetic(operator.sub),
    ast.Mult: _arithmetic(operator.mul),
    ast.Div: _arithmetic(operator.truediv),
    ast.FloorDiv: _arithmetic(operator.floordiv),
    ast.Mod: _arithmetic(operator.mod),
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Not: operator.not_,
    ast.USub: operator.neg,
    ast.In: lambda item, items: item in items,
    ast.NotIn: lambda item, items: item not in items,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
}

_SYNTAX: Final = (
    *_OPERATORS,
    *(
        ast.Expression,
        ast.BoolOp,
        ast.And,
        ast.Or,
        ast.UnaryOp,
        ast.BinOp,
        ast.Compare,
        ast.IfExp,
        ast.Constant,
    ),
    *(ast.Name, ast.Load, ast.Store, ast.Attribute, ast.Subscript, ast.Slice, ast.Tuple, ast.List),
    *(ast.Call, ast.GeneratorExp, ast.ListComp, ast.comprehension),
)
"""Everything that an expression may be made of; no power, no lambda, no formatted text, no assignment."""


def _fault(node: ast.AST) -> str:
    """Return what is wrong with one part of an expression, or the empty string."""
    if not isinstance(node, _SYNTAX):
        return f"{type(node).__name__} is not part of the expression language"
    if isinstance(node, ast.Call):
        if not isinstance(node.func, ast.Name) or node.keywords:
            return "only the language's own functions can be called, with positional arguments"
        if node.func.id not in {"implies", "inputs", *FUNCTIONS, *OPERATOR_FUNCTIONS}:
            return f"there is no function {node.func.id}"
        if node.func.id == "implies" and len(node.args) != 2:
            return "implies takes two arguments"
    if isinstance(node, ast.Attribute) and node.attr not in TENSOR_FIELDS:
        return f"a tensor has no field {node.attr}; it has {' '.join(sorted(TENSOR_FIELDS))}"
    if isinstance(node, ast.Name) and node.id.startswith("_"):
        return f"the name {node.id} starts with an underscore"
    return ""


def _checked(text: str) -> str:
    if len(text) > _LONGEST:
        raise ValueError(f"an expression has at most {_LONGEST} characters, got {len(text)}")
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"{text!r} is not an expression: {error}") from error
    for node in ast.walk(tree):
        if fault := _fault(node):
            raise ValueError(f"{text!r}: {fault}")
    return text


Expression = Annotated[str, AfterValidator(_checked)]
"""The text of an expression, checked for syntax and for names of functions and fields."""


def _says_something(text: str) -> str:
    body = ast.parse(text.strip(), mode="eval").body
    if isinstance(body, ast.Constant) and isinstance(body.value, str):
        raise ValueError(f"{text!r} is text, always true: one pair of quotes is too many")
    return text


Condition = Annotated[Expression, AfterValidator(_says_something)]
"""The text of an expression that is true or false."""


class _Implies(ast.NodeTransformer):
    """`implies(a, b)` -> `not a or b`, so that `b` is not looked at where `a` does not hold."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if not isinstance(node.func, ast.Name) or node.func.id != "implies":
            return node
        return ast.BoolOp(op=ast.Or(), values=[ast.UnaryOp(op=ast.Not(), operand=node.args[0]), node.args[1]])


@lru_cache(maxsize=4096)
def _parsed(text: str) -> ast.expr:
    tree = ast.parse(text.strip(), mode="eval")
    return _Implies().visit(tree).body  # type: ignore[no-any-return]


class _Evaluator(simpleeval.EvalWithCompoundTypes):  # type: ignore[misc]
    """simpleeval with our operators and functions, and with the fields of tensors as the only attributes.

    Making one takes longer than most expressions do, so each thread has one for all operators.
    """

    _op: OperatorView
    _context: Context

    def __init__(self) -> None:
        bound = {name: partial(self._ask, function) for name, function in OPERATOR_FUNCTIONS.items()}
        super().__init__(operators=_OPERATORS, functions={**FUNCTIONS, **bound, "inputs": self._inputs})
        # attributes are tuples: so are lists, or `strides == [2, 2]` would never hold
        self.nodes[ast.List] = self._eval_tuple

    def about(self, text: str, op: OperatorView, context: Context) -> object:
        """Return the value of a checked expression for `op`."""
        self._op, self._context = op, context
        return self.eval(text, previously_parsed=_parsed(text))

    def _ask(self, function: Callable[..., object], *arguments: object) -> object:
        return function(self._op, *arguments)

    def _inputs(self) -> list[TensorValue]:
        return [TensorValue(tensor, self._context) for tensor in self._op.inputs if tensor is not None]

    def _eval_name(self, node: ast.Name) -> object:
        return lookup(node.id, self._op, self._context)

    def _eval_attribute(self, node: ast.Attribute) -> object:
        tensor = self._eval(node.value)
        if not isinstance(tensor, TensorValue):
            raise TypeError(f"{ast.unparse(node.value)} is not a tensor of this operator")
        return tensor.field(node.attr)


class _ThreadsOwn(threading.local):
    """The evaluator of the running thread."""

    def __init__(self) -> None:
        self.evaluator = _Evaluator()


_OWN: Final = _ThreadsOwn()


def lookup(name: str, op: OperatorView, context: Context) -> object:
    """Return what `name` stands for: an attribute, else a tensor, else a property of the variant, else None."""
    value = attribute_of(op, name)
    if value is not None:
        return tuple(value.reshape(-1).tolist()) if isinstance(value, np.ndarray) else value
    tensor = named_tensor(op, name)
    if tensor is not None:
        return TensorValue(tensor, context)
    return context.properties.get(name)


def evaluate(text: str, op: OperatorView, context: Context) -> object:
    """Return the value of a checked expression for `op`; MissingFactError where it can't be worked out."""
    try:
        return _OWN.evaluator.about(text, op, context)
    except (TypeError, ArithmeticError, AttributeError, LookupError, ValueError, simpleeval.InvalidExpression) as error:
        raise MissingFactError(f"the value of {text!r} ({error})") from error


def holds(text: str, op: OperatorView, context: Context) -> bool:
    """Return whether a checked expression is true for `op`; MissingFactError where it can't be worked out."""
    return bool(evaluate(text, op, context))


@lru_cache(maxsize=4096)
def names_in(text: str) -> frozenset[str]:
    """Return the names of attributes, tensors and properties that an expression reads."""
    tree = ast.parse(text.strip(), mode="eval")
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in called]
    own = {node.id for node in names if isinstance(node.ctx, ast.Store)}
    return frozenset(node.id for node in names if node.id not in own)


def facts_in(text: str, op: OperatorView, context: Context) -> str:
    """Return the attributes and tensor fields that an expression reads with their values: `strides = (2, 2)`."""
    parts: dict[str, None] = {}
    for node in ast.walk(ast.parse(text.strip(), mode="eval")):
        if not isinstance(node, ast.Name | ast.Attribute):
            continue
        source = ast.unparse(node)
        root = node.value if isinstance(node, ast.Attribute) else node
        if not isinstance(root, ast.Name) or root.id not in names_in(text):
            continue
        try:
            value = evaluate(source, op, context)
        except MissingFactError:
            continue
        if not isinstance(value, TensorValue):
            parts[f"{source} = {show(value)}"] = None
    return ", ".join(parts)

"""Every kind of rule, told apart by its field `kind`."""

from typing import Annotated

from pydantic import Field

from dovetail.targets.rules.attribute import (
    AttrAbsentRule,
    AttrInRule,
    AttrNotInRule,
    AttrRangeRule,
    AxisInRule,
)
from dovetail.targets.rules.constant import ConstInputRule, ConstValueRule
from dovetail.targets.rules.count import BroadcastRule, InputCountRule, OutputCountRule
from dovetail.targets.rules.dimension import DimInRule, DimMultipleRule, DimRangeRule
from dovetail.targets.rules.dtype import DtypeRule
from dovetail.targets.rules.pattern import OnlyInPatternRule
from dovetail.targets.rules.platform import ArchRule, EngineRule, LoweringRule, ModeInRule, OpsetRule
from dovetail.targets.rules.predicate import PredicateRule, TableRule
from dovetail.targets.rules.quant import QuantRule
from dovetail.targets.rules.shape import NoZeroDimRule, RankRule, StaticShapeRule

AnyRule = Annotated[
    DtypeRule
    | RankRule
    | StaticShapeRule
    | NoZeroDimRule
    | ConstInputRule
    | ConstValueRule
    | AttrInRule
    | AttrNotInRule
    | AttrAbsentRule
    | AttrRangeRule
    | AxisInRule
    | DimRangeRule
    | DimMultipleRule
    | DimInRule
    | InputCountRule
    | OutputCountRule
    | BroadcastRule
    | OpsetRule
    | QuantRule
    | PredicateRule
    | TableRule
    | ModeInRule
    | ArchRule
    | EngineRule
    | LoweringRule
    | OnlyInPatternRule,
    Field(discriminator="kind"),
]

"""Standards: limits as data, and the judgement of properties against them."""

from .judge import Judgement, Property, Status, Verdict, judge, judge_waste_leaching
from .limits import Acceptance, Grade, Limit, Standard, round_half_even
from .schema import list_standards, load_grade, load_standard

__all__ = [
    "Acceptance",
    "Grade",
    "Judgement",
    "Limit",
    "Property",
    "Standard",
    "Status",
    "Verdict",
    "judge",
    "judge_waste_leaching",
    "list_standards",
    "load_grade",
    "load_standard",
    "round_half_even",
]

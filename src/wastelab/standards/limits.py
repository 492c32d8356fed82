"""Limits as data: what a standard demands of a property, with rounding, method, source and evidence.

A limit is met by the *reported* value: the measured value after the standard's rounding (GB/T 8170, half to
even). `Limit.acceptance` turns that into the interval of raw values that pass.
"""

from __future__ import annotations

import builtins
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal

from ..errors import DatasetError
from ..provenance import Source

NUMERIC_OPS = ("<=", "<", ">=", ">", "range")
RULE_OPS = ("rule", "forbidden", "excluded", "withdrawn", "not_detected")


@dataclass(frozen=True)
class Acceptance:
    """Interval of raw (unrounded) values that pass; None is open."""

    low: float | None
    high: float | None
    low_inclusive: bool = True
    high_inclusive: bool = True

    def contains(self, value: float) -> bool:
        """Whether a raw value passes."""
        if self.low is not None and (value < self.low or (value == self.low and not self.low_inclusive)):
            return False
        return not (self.high is not None and (value > self.high or (value == self.high and not self.high_inclusive)))


@dataclass(frozen=True)
class Limit:
    """One requirement of a grade.

    Attributes
    ----------
    standard, edition, grade : str
    property : str
        Canonical id of what is limited (``"I_Ra"``, ``"SO3"``, ``"leachate_Cu"`` …).
    label, label_zh : str
    op : str
        ``<= < >= > range``, or ``rule forbidden excluded withdrawn not_detected``.
    value, value2 : float or None
    unit : str
    method : str
        Test method the limit is bound to.
    leaching : str
        Leaching procedure that makes the leachate, for leachates.
    decimals : int or None
        Decimals the result is reported to; None: no rounding is applied.
    when : str
        Variant of the product to which the limit applies (``"class F"`` …); empty: always.
    materials, products : tuple of str
        For forbidden, excluded and withdrawn rows: what they hit (prefixes of material ids; product names).
    refers_to : str
        Another standard that decides (radionuclides: GB 6566).
    clause, note : str
    source : Source
    """

    standard: str
    edition: str
    grade: str
    property: str
    label: str
    op: str
    source: Source
    value: float | None = None
    value2: float | None = None
    unit: str = ""
    label_zh: str = ""
    method: str = ""
    leaching: str = ""
    decimals: int | None = None
    when: str = ""
    materials: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    refers_to: str = ""
    clause: str = ""
    note: str = ""

    @builtins.property
    def numeric(self) -> bool:
        """Whether it compares a number."""
        return self.op in NUMERIC_OPS

    @builtins.property
    def text(self) -> str:
        """The demand as a person writes it: ``"<= 3.5 %"``."""
        unit = f" {self.unit}" if self.unit else ""
        if self.op == "range":
            return f"{self.value:g} .. {self.value2:g}{unit}"
        if self.numeric:
            return f"{self.op} {self.value:g}{unit}"
        return self.op.replace("_", " ")

    def acceptance(self) -> Acceptance:
        """Raw values that pass once rounded as the standard reports them.

        With rounding to n decimals half to even, ``x <= L`` is met by every raw x up to L + half a unit of
        the last decimal; that point itself rounds to the even neighbour.

        Raises
        ------
        DatasetError
            If the limit does not compare a number.
        """
        if not self.numeric or self.value is None:
            raise DatasetError(f"{self.standard}/{self.grade}: {self.label} is no numeric limit.")
        if self.op == "range":
            assert self.value2 is not None
            low = self._edge(self.value, below=True, inclusive=True)
            high = self._edge(self.value2, below=False, inclusive=True)
            return Acceptance(low[0], high[0], low[1], high[1])
        if self.op in (">=", ">"):
            edge, inclusive = self._edge(self.value, below=True, inclusive=self.op == ">=")
            return Acceptance(edge, None, inclusive, True)
        edge, inclusive = self._edge(self.value, below=False, inclusive=self.op == "<=")
        return Acceptance(None, edge, True, inclusive)

    def _edge(self, value: float, *, below: bool, inclusive: bool) -> tuple[float, bool]:
        """Raw edge of a limit: the midpoint to the next reported value that fails."""
        if self.decimals is None:
            return value, inclusive
        unit = Decimal(1).scaleb(-self.decimals)
        limit = Decimal(repr(value))
        first = (limit / unit).to_integral_value(rounding="ROUND_CEILING" if below else "ROUND_FLOOR") * unit
        if not inclusive and first == limit:
            first += unit if below else -unit
        # `first` is the outermost reported value that passes
        middle = first - unit / 2 if below else first + unit / 2
        return float(middle), round_half_even(middle, self.decimals) == first


def round_half_even(value: Decimal | float, decimals: int) -> Decimal:
    """Round as GB/T 8170: half to even, on the decimal the number prints as.

    Parameters
    ----------
    value : Decimal or float
        A float is taken as the shortest decimal that names it (1.05 is 1.05, not 1.0499999…).
    decimals : int
    """
    number = value if isinstance(value, Decimal) else Decimal(repr(float(value)))
    return number.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_EVEN)


@dataclass(frozen=True)
class Grade:
    """A grade of a standard with every limit that applies to it, common rules first."""

    standard: str
    name: str
    description: str
    limits: tuple[Limit, ...]

    @property
    def reference(self) -> str:
        """``"GB 6566-2010/main_structure"``."""
        return f"{self.standard}/{self.name}"


@dataclass(frozen=True)
class Standard:
    """A standard with its grades."""

    id: str
    title: str
    title_zh: str
    edition: str
    status: str
    status_note: str
    topic: str
    note: str
    grades: dict[str, Grade] = field(default_factory=dict)
    facts: tuple[Limit, ...] = ()

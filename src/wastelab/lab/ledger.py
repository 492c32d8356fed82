"""The waste account (一般工业固体废物管理台账): what came in by batch, where it lies, what became of it.

An append-only book beside the catalogue of samples: masses as weighed, moisture where it was measured, every entry
with its document, every correction a reversing entry. After the guide of the Ministry of Ecology and Environment to
accounts of general industrial solid waste (notice 82 of 2021) in what is kept; it is not the ministry's form.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from .store import Store

if TYPE_CHECKING:
    import pandas as pd


class Ledger:
    """The waste account of a laboratory or works. Made by ``lab.ledger``.

    Parameters
    ----------
    store : Store

    Notes
    -----
    A mass is text with a unit (``"32.4 t"``, ``"32400 kg"``, ``"32.4 吨"``) or a number in tonnes, always above zero
    and kept to the gram; ``ton`` is refused, because it means three things. A moisture is wt% of the wet mass. A date
    is a day or a local time.

    Examples
    --------
    >>> import tempfile, wastelab as wl
    >>> with tempfile.TemporaryDirectory() as folder, wl.open_lab(folder + "/lab", create=True) as lab:
    ...     book = lab.ledger
    ...     _ = book.add_yard("N1", kind="shed", capacity_t=500)
    ...     _ = book.add_batch("RM-26-03", "red_mud", "2026-03-02", yard="N1", mass="32.4 t", moisture="30 %")
    ...     _ = book.use("RM-26-03", "2.4 t", "2026-03-20", moisture="28 %", product="clinker trial")
    ...     print(book.balance().to_string(index=False, columns=["waste_class", "yard", "stock_wet_t", "stock_dry_t"]))
    waste_class yard  stock_wet_t  stock_dry_t
        red_mud   N1         30.0       20.952
    """

    def __init__(self, store: Store) -> None:
        self.store = store

    # -- putting in
    def add_yard(self, code: str, **fields: Any) -> str:
        """Register a place where material lies; returns its uid.

        Parameters
        ----------
        code : str
        **fields
            ``name``, ``name_zh``, ``kind`` (heap, shed, silo, tank, laboratory), ``capacity_t``, ``location``,
            ``latitude``, ``longitude``, ``note``.

        Raises
        ------
        LabError
            If a field is unknown or the code is taken.
        """
        from .ledger_entries import add_yard

        return add_yard(self.store, code, fields)

    def add_batch(
        self,
        code: str,
        waste_class: str,
        received_at: str | date,
        *,
        samples: Sequence[str] = (),
        mass: str | float | None = None,
        moisture: str | float | None = None,
        document: str = "",
        operator: str = "",
        counterparty: str = "",
        **fields: Any,
    ) -> str:
        """Register a batch and, if `mass` is given, its first receipt, as one act; returns its uid.

        Parameters
        ----------
        code, waste_class : str
            Class by name or Chinese name.
        received_at : str or date
            No movement can be earlier.
        samples : sequence of str
            Codes of samples taken from it; more with `link`.
        mass, moisture, document, operator, counterparty
            Of the first receipt, as in `move`.
        **fields
            ``waste_code`` (national code), ``source``, ``yard`` (where it goes and where it is taken from unless a
            movement says otherwise), ``producer``, ``carrier``, ``contract``, ``manifest``, ``note``.

        Raises
        ------
        LabError, UnknownNameError
        """
        from .ledger_entries import add_batch

        first = {
            "mass": mass,
            "moisture": moisture,
            "document": document,
            "operator": operator,
            "counterparty": counterparty,
        }
        if mass is None and any(v not in (None, "") for v in first.values()):
            from ..errors import LabError

            raise LabError(f"batch {code!r}: moisture, document, operator and counterparty belong to a receipt; "
                           "give the mass too, or use receive().")  # fmt: skip
        return add_batch(
            self.store, code, waste_class, received_at, fields, samples, first if mass is not None else None
        )

    def link(self, batch: str, *samples: str, note: str = "") -> None:
        """Say that samples of the catalogue were taken from a batch."""
        from .ledger_entries import link

        link(self.store, batch, samples, note)

    def move(self, kind: str, batch: str, mass: str | float, at: str | date, **fields: Any) -> str:
        """Record one movement; returns its uid.

        Parameters
        ----------
        kind : {"received", "transferred", "used", "returned", "disposed", "sold", "adjusted"}
        batch : str
        mass : str or float
            Wet mass.
        at : str or date
        **fields
            ``moisture``, ``mass_sigma`` (standard uncertainty of the mass), ``yard_from``, ``yard_to`` (the batch's
            yard where one is needed and not said), ``mix``, ``specimen``, ``product`` and ``product_quantity``
            (``"1200 m3"``) of what was used, ``counterparty``, ``document`` (weighbridge ticket), ``operator``,
            ``reason``, ``note``.

        Raises
        ------
        LabError
            If the movement would, at its own or any later time, take more of the batch out of a yard than is there
            (names batch, yard, date and mass), lies before the receipt or in the future, or a field is wrong.
        """
        from .ledger_entries import move

        return move(self.store, kind, batch, {"mass": mass, "at": at, **fields})

    def receive(self, batch: str, mass: str | float, at: str | date, **fields: Any) -> str:
        """Material came in, into ``yard_to``. See `move`."""
        return self.move("received", batch, mass, at, **fields)

    def transfer(self, batch: str, mass: str | float, at: str | date, yard_to: str, **fields: Any) -> str:
        """Material went from one yard to another. See `move`."""
        return self.move("transferred", batch, mass, at, yard_to=yard_to, **fields)

    def use(self, batch: str, mass: str | float, at: str | date, **fields: Any) -> str:
        """Material was used here: for a ``mix``, ``specimen`` or ``product``. See `move`."""
        return self.move("used", batch, mass, at, **fields)

    def return_(self, batch: str, mass: str | float, at: str | date, **fields: Any) -> str:
        """Material came back unused (``yard_to``), or went back to its producer (``yard_from``). See `move`."""
        return self.move("returned", batch, mass, at, **fields)

    def dispose(self, batch: str, mass: str | float, at: str | date, **fields: Any) -> str:
        """Material was disposed of (landfill, incineration), here or by ``counterparty``. See `move`."""
        return self.move("disposed", batch, mass, at, **fields)

    def sell(self, batch: str, mass: str | float, at: str | date, **fields: Any) -> str:
        """Material was given to a ``counterparty`` that uses it. See `move`."""
        return self.move("sold", batch, mass, at, **fields)

    def adjust(self, batch: str, mass: str | float, at: str | date, *, reason: str, **fields: Any) -> str:
        """Correct the book to what was found: ``yard_to`` if there is more, ``yard_from`` if less.

        A moisture of 100 is pure water: rain, or drying. See `move`.
        """
        return self.move("adjusted", batch, mass, at, reason=reason, **fields)

    def reverse(self, uid: str, reason: str, *, at: str | date | None = None, operator: str = "") -> str:
        """Undo a movement by an entry that counts against it; returns the uid of that entry.

        Parameters
        ----------
        uid : str
            The movement.
        reason : str
        at : str or date, optional
            When it counts; by default when the movement itself did, so that the months come right. Give a later day
            where the months before are closed.
        operator : str

        Raises
        ------
        LabError
            If there is no such movement, it is reversed already or is a reversal, or the stock would fall below zero.
        """
        from .ledger_entries import reverse

        return reverse(self.store, uid, reason, at, operator)

    def reconciliation(
        self, yard: str, measured_mass_t: str | float, at: str | date, waste_class: str | None = None, **fields: Any
    ) -> dict[str, Any]:
        """Record a stock-taking beside the book, which it does not change.

        Parameters
        ----------
        yard : str
        measured_mass_t : str or float
            Wet mass found; may be 0.
        at : str or date
        waste_class : str, optional
            Only material of this class; all of the yard if not given.
        **fields
            ``moisture``, ``mass_sigma``, ``method`` (survey, weighing), ``document``, ``operator``, ``note``.

        Returns
        -------
        dict
            ``uid``, ``book_t``, ``measured_t``, ``error_t`` (measured less book), ``error_percent`` of the book (None
            where the book is empty), ``book_dry_t`` and ``error_dry_t`` (None where a moisture is missing).
        """
        from .ledger_entries import reconcile

        return reconcile(self.store, yard, measured_mass_t, at, {"waste_class": waste_class, **fields})

    # -- asking
    def entries(self, **where: Any) -> pd.DataFrame:
        """Movements by date, dry mass computed; an entry that reverses another has negative masses.

        Parameters
        ----------
        **where
            ``kind`` (one or several), ``batch``, ``waste_class``, ``yard`` (from or to), ``since``, ``until``,
            ``document``, ``counterparty``, ``mix``; ``reversed=False`` leaves out reversed entries and their reversals.
        """
        from .ledger_account import entries

        return entries(self.store, **where)

    def stocktakes(self) -> pd.DataFrame:
        """Stock-takings with their reconciliation error."""
        from .ledger_export import stocktakes

        return stocktakes(self.store)

    def balance(self, at: str | date | None = None, by: Sequence[str] = ("waste_class", "yard")) -> pd.DataFrame:
        """Mass in, out and in stock, wet and dry [t].

        Parameters
        ----------
        at : str or date, optional
            The end of this day, or this time; everything by default.
        by : sequence of {"waste_class", "waste_code", "yard", "batch", "source", "producer"}

        Returns
        -------
        pandas.DataFrame
            Transfers count as in and out only where they cross a group. Dry masses are NaN where an entry has no
            moisture; ``without_moisture`` counts them. A dry stock may end a little off zero, or below it, where
            moistures of the way in and out disagree: adjust it when the pile is gone.
        """
        from .ledger_account import balance

        return balance(self.store, at, by)

    def monthly(
        self, since: str | None = None, until: str | None = None, by: Sequence[str] = ("waste_class", "waste_code")
    ) -> pd.DataFrame:
        """The monthly account: opening stock, what came in and went out by way, closing stock, wet and dry [t].

        Parameters
        ----------
        since, until : str, optional
            Months (``"2026-03"``); from the first entry to the last by default.
        by : sequence of str
            As in `balance`.
        """
        from .ledger_account import monthly

        return monthly(self.store, since, until, by)

    def storage(
        self,
        at: str | date | None = None,
        *,
        basis: Literal["wet", "dry"] = "wet",
        by: Sequence[str] = ("waste_class", "yard"),
        window_days: int = 365,
    ) -> pd.DataFrame:
        """How many years the stock lasts, and how old the oldest of it is.

        Parameters
        ----------
        at : str or date, optional
            Today by default.
        basis : {"wet", "dry"}
        by : sequence of str
            As in `balance`; with ``"waste_class"``.
        window_days : int
            The rate is what was used and sold, less what came back, over so many days before `at`.

        Returns
        -------
        pandas.DataFrame
            ``stock_t``, ``used_t`` in the window, ``days`` on record in it, ``rate_t_per_a``, ``years`` (stock over
            rate), ``oldest`` and ``age_a`` (first in, first out within each batch), ``limit_a`` with ``evidence`` and
            ``source`` of that guide, ``status``.

        Notes
        -----
        ``over``: the oldest lies longer than the guide. ``due``: it will within half a year, or at this rate what
        comes in today will. ``unknown``: no use yet, or less than 30 days on record. The rate of a stock younger than
        the window is taken over its own days.
        """
        from .ledger_storage import storage

        return storage(self.store, at, basis, by, window_days)

    def trace(self, code: str, direction: Literal["back", "forward", "both"] = "both") -> pd.DataFrame:
        """From a product back to batches and heaps, or from a heap forward to products. See `ledger_trace.trace`."""
        from .ledger_trace import trace

        return trace(self.store, code, direction)

    # -- giving out
    def to_csv(self, folder: str | Path, *, lang: str = "zh") -> list[Path]:
        """Write monthly account, uses, movements and stock-takings as CSV. See `ledger_export.to_csv`."""
        from .ledger_export import to_csv

        return to_csv(self, Path(folder), lang)

    def to_excel(self, path: str | Path, *, lang: str = "zh") -> Path:
        """Write the same as one workbook. See `ledger_export.to_excel`."""
        from .ledger_export import to_excel

        return to_excel(self, Path(path), lang)

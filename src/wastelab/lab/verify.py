"""The proof that a laboratory is whole: nothing lost, changed, left half done or rewritten.

Audit chain, digest of every record, every raw file and curve against its hash, references, schema, settings and the
database itself are checked from one unchanging state of the catalogue while others go on writing. Memory stays
bounded. What a crash can leave behind harmlessly (a file without a row) is a note, all else is a problem.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from ..i18n import DEFAULT, tr
from . import cache, checks
from .store import Store

#: Problems of one kind that are listed; the rest is only counted.
MOST = 200


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is not as it should be.

    Attributes
    ----------
    kind : str
        Stable name, for scripts: ``"raw_missing"``, ``"record_changed"``, ``"chain_hash"`` …
    severity : {"problem", "note"}
        A note is harmless.
    values : mapping
        What fills the text: file, record, event.
    """

    kind: str
    severity: Literal["problem", "note"]
    values: Mapping[str, object] = field(default_factory=dict)

    def text(self, lang: str = DEFAULT) -> str:
        """What is wrong, as one sentence."""
        return tr(f"verify.{self.kind}", lang, **self.values)

    def advice(self, lang: str = DEFAULT) -> str:
        """What to do."""
        return tr(f"verify.{self.kind}_fix", lang, **self.values)

    @property
    def what(self) -> str:
        """`text` in English."""
        return self.text()

    @property
    def remedy(self) -> str:
        """`advice` in English."""
        return self.advice()


@dataclass
class Report:
    """What `verify` found.

    Attributes
    ----------
    problems, notes : list of Problem
        At most `MOST` of a kind; ``counts["found"]`` has all.
    counts : dict
        ``events``, ``records``, ``raw``, ``curves``, ``hashed_bytes`` … : what was looked at; ``found``: number of
        problems and notes of each kind.
    head : str
        Hash of the newest audit event. Keep it elsewhere: ``verify(expect=…)`` proves later that nothing before it was
        rewritten.
    deep : bool
        Whether files and curves were hashed again.
    """

    problems: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)
    counts: dict[str, Any] = field(default_factory=lambda: {"found": {}})
    head: str = ""
    deep: bool = True

    @property
    def ok(self) -> bool:
        """Whether there is no problem (notes do not count)."""
        return not self.problems

    def add(self, kind: str, severity: Literal["problem", "note"] = "problem", /, **values: object) -> None:
        """Note a problem."""
        found = self.counts["found"]
        found[kind] = found.get(kind, 0) + 1
        if found[kind] <= MOST:
            (self.problems if severity == "problem" else self.notes).append(Problem(kind, severity, values))

    def count(self, what: str, number: int = 1) -> None:
        """Add to what was looked at."""
        self.counts[what] = self.counts.get(what, 0) + number

    def text(self, lang: str = DEFAULT) -> str:
        """The report for people."""
        lines = [tr("verify.clean" if self.ok else "verify.not_clean", lang, problems=self._total(self.problems))]
        seen = {k: v for k, v in self.counts.items() if isinstance(v, int)}
        lines.append(tr("verify.seen", lang, **{k: seen.get(k, 0) for k in ("events", "records", "raw", "curves")},
                        megabytes=f"{seen.get('hashed_bytes', 0) / 1e6:.1f}"))  # fmt: skip
        lines.append(tr("verify.head", lang, head=self.head))
        if not self.deep:
            lines.append(tr("verify.shallow", lang))
        for title, problems in (("verify.problems", self.problems), ("verify.notes", self.notes)):
            if problems:
                lines += ["", tr(title, lang)]
                lines += self._lines(problems, lang)
        return "\n".join(lines)

    def _lines(self, problems: list[Problem], lang: str) -> list[str]:
        lines: list[str] = []
        for kind in dict.fromkeys(p.kind for p in problems):
            some = [p for p in problems if p.kind == kind]
            lines += [f"  {p.text(lang)}" for p in some]
            if self.counts["found"][kind] > len(some):
                lines.append("  " + tr("verify.more", lang, number=self.counts["found"][kind] - len(some)))
            lines.append(f"    → {some[0].advice(lang)}")
        return lines

    def _total(self, problems: list[Problem]) -> int:
        return sum(self.counts["found"][kind] for kind in {p.kind for p in problems})

    def to_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "ok": self.ok,
            "deep": self.deep,
            "head": self.head,
            "counts": self.counts,
            **{
                name: [
                    {"kind": p.kind, "values": {k: v if isinstance(v, int) else str(v) for k, v in p.values.items()},
                     "what": p.what, "what_zh": p.text("zh"), "remedy": p.remedy, "remedy_zh": p.advice("zh")}
                    for p in problems
                ]
                for name, problems in (("problems", self.problems), ("notes", self.notes))
            },
        }  # fmt: skip


def verify(store: Store, *, expect: str | None = None, deep: bool = True) -> Report:
    """Prove that nothing was lost, changed or left half done.

    Parameters
    ----------
    store : Store
    expect : str, optional
        Hash of an audit event that was kept elsewhere (every receipt and `Report.head` carry one): it must occur in
        the chain, which shows that the past before it was not rewritten.
    deep : bool
        Hash every file and curve again; without it only their presence and size is checked.

    Returns
    -------
    Report

    Raises
    ------
    LabError
        If the catalogue cannot be reached or was moved elsewhere. Damage does not raise; it is reported.

    Examples
    --------
    >>> import tempfile, wastelab as wl
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with wl.open_lab(folder + "/lab", create=True) as lab:
    ...         print(lab.verify().ok)
    True
    """
    with store.read():  # refuses a catalogue that is not in charge
        pass
    return examine(store, expect=expect, deep=deep)


def examine(store: Store, *, expect: str | None = None, deep: bool = True) -> Report:
    """`verify`, also of a catalogue that is not in charge."""
    report = Report(deep=deep)
    steps: list[tuple[str, Callable[[Store, Connection, Report], None]]] = [
        ("database", checks.database),
        ("schema", checks.schema),
        ("settings", checks.settings),
        ("audit", lambda st, conn, rep: checks.chain(conn, rep, expect)),
        ("records", checks.records),
        ("references", checks.references),
        ("raw", checks.raw_files),
        ("curves", checks.curves),
        ("cache", cache.check),
        ("temporary", checks.temporary),
    ]
    with store.engine.connect().execution_options(wastelab_read=True) as conn, conn.begin():
        for name, step in steps:
            try:
                if store.dialect == "sqlite":
                    step(store, conn, report)
                else:
                    with conn.begin_nested():  # an error must not spoil the transaction for the other checks
                        step(store, conn, report)
            except Exception as exc:  # whatever damage makes of the data: the other checks go on
                said = str(exc.orig if isinstance(exc, DBAPIError) else exc).strip().splitlines()
                report.add("unreadable", check=name, said=said[0] if said else type(exc).__name__)
    return report

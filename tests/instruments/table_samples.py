"""Synthetic tables, written from the documented layouts (no instrument made them), and workbooks for the tests."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from wastelab.instruments import Reading, Value, read_bytes

SHARED = Path(os.environ.get("WASTELAB_SHARED", Path(__file__).parents[2].parent / "shared"))


def real(path: str) -> Path:
    """A real instrument file, or a loud skip."""
    file = SHARED / "instrument_files" / path
    if not file.is_file():
        pytest.skip(
            f"real instrument file {path} is not beside the checkout (set WASTELAB_SHARED); nothing was checked"
        )
    return file


def csv_of(*lines: str) -> bytes:
    return ("\n".join(lines) + "\n").encode()


def read_text(*lines: str, name: str = "sheet.csv", encoding: str = "utf-8") -> list[Reading]:
    return read_bytes(("\n".join(lines) + "\n").encode(encoding), name, format="sheet")


def workbook(sheets: Mapping[str, Sequence[Sequence[Any]]], change: Callable[[Any], None] | None = None) -> bytes:
    """A workbook of the given sheets; `change` may format it before it is saved."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    if change is not None:
        change(book)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def rewritten(data: bytes, member: str, change: Callable[[bytes], bytes]) -> bytes:
    """A zip file with one member changed."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            body = old.read(name)
            new.writestr(name, change(body) if name == member else body)
    return out.getvalue()


def values(reading: Reading) -> dict[str, Value]:
    return {v.quantity: v for v in reading.values}


def numbers(reading: Reading) -> dict[str, float | None]:
    return {v.quantity: v.value for v in reading.values}


PANALYTICAL_ONE = csv_of(
    "05/02/2026 10:11:12",
    "PANalytical",
    "Quantification of sample synthetic_1,",
    "",
    'Sum before normalization:,"87,5 %"',
    'Normalised to:,"100,0 %"',
    "Sample type:,Pressed powder",
    "",
    ",Compound,Conc.",
    ",,(%)",
    '1,SiO2,"61,20"',
    '2,Al2O3,"20,10"',
    '3,CaO,"18,70"',
)
PANALYTICAL_TABLE = csv_of(
    "05/02/2026 10:11:12",
    "PANalytical",
    "Results quantitative - synthetic,",
    "",
    "Number of results selected:,2",
    "",
    "Seq.,Sample name (1-20),Sum,Result type,SiO2,CaO,Pb",
    ",,of conc.,,--,--,--",
    ",,(%),,(%),(%),(ppm)",
    ",,,,,,",
    '1,synthetic_1,"98,2",Concentration,"61,20","37,00",120',
    '2,synthetic_1,"98,4",Concentration,"61,30","37,10",',
)
S8 = csv_of(
    "Formula,Concentration,Z,Status,Line 1,Net int.,LLD,Stat. error,Analyzed layer,Bound %",
    "SiO2,30.2 % -,14,XRF 1,Si KA1-HR-Tr,60.1,200.0 PPM,0.50%,2.5 um,",
    "ZnO,150 PPM,30,XRF 1,Zn KA1-HR-Tr,3.1,20.0 PPM,8.0%,60 um,",
    "PbO,15 PPM,82,XRF 1,Pb LA1-HR-Tr,0.1,25.0 PPM,50.0%,60 um,",
    "Na2O,0.0 PPM -,11,Not detected,Na KA1-HR-Tr,0.01,400.0 PPM,,0.7 um,",
)


def _rigaku_line(label: str, *cells: str) -> str:
    return (label.ljust(16) + "".join(c.rjust(12) for c in cells)).ljust(100)


RIGAKU = csv_of(
    "PositionType              Application               Sample name                     Date            ",
    "A-1     Quant analysis    cement bead               synthetic_1                     2026- 2- 5 10:11",
    " " * 100,
    _rigaku_line("Component", "SiO2", "CaO"),
    _rigaku_line("Analyzed value", "21.50", "64.20"),
    _rigaku_line("Unit", "mass%", "mass%"),
    " " * 100,
    _rigaku_line("Net intensity", "12.5", "310.2"),
    "_" * 100,
)
WINLAB = csv_of(
    "Sample ID,Analyte Name,Date,Time,Reported Conc (Calib),Units (Samp)",
    " S-1,Pb 220.353,28-05-26,01:40:54 PM,12.5,mg/kg",
    " S-1,Cd 228.802,28-05-26,01:40:54 PM,310,ug/kg",
    " S-2,Pb 220.353,28-05-26,12:10:01 AM,0.5,mg/kg",
)


def mastersizer(results: Sequence[Sequence[float]] = ((10.0, 40.0, 40.0, 10.0),), sep: str = ",") -> bytes:
    """A Mastersizer 2000 table with the given volumes between the edges 1, 2, 4, 8 … um."""
    n = len(results[0])
    edges = [str(2**i) for i in range(n + 1)]
    head = ["Sample Name", "Operator name", "Measurement date and time", "Specific surface area", "d (0.5)"]
    size = "Result Between User Sizes (Sizes in um)"
    lines = [sep.join([*head, size, *[""] * n, "Operator Notes"]), sep.join([*[""] * len(head), *edges, ""])]
    for k, volumes in enumerate(results):
        row = [f"synthetic_{k}", "Li Wei", "22/08/2026 09:49", "0.6", "4.0", "", *map(str, volumes), "made up"]
        lines.append(sep.join(row))
    return ("\n".join(lines) + "\n").encode()


def press(mean: float = 41.0, sd: float = 1.4) -> bytes:
    """A press file of two cubes of 150 mm that fail at 900 and 945 kN."""
    lines = [
        "synthetic floor",
        "Compressive strength (28 d);01.02.2026;08:00;01.03.2026;09:00;28;01:00;",
        "94;1;10",
        f"2300;1;{mean};{sd}",
    ]
    for cube, peak in ((1, 900.0), (2, 945.0)):
        lines += [
            f"{cube};150.000;150.000;150.000;7763;2300;{peak};{peak / 22.5:.1f};1.00",
            "Index;Element;Markierung;Zeit;Kraft;Extern",
            ";;;s;kN;mm",
            *(f"{i};100;100;{i * 0.5:.4f};{load:.2f};{i * 0.01:.4f}" for i, load in enumerate((20, 500, peak, 700), 1)),
            "",
        ]
    return ("\n".join(lines) + "\n").encode("latin-1")


WIDE = csv_of(
    "样品编号,固废类别,SiO2(%),Al2O3/wt%,CaO (wt%),烧失量,合计,检测人,检测日期",
    "RM-01,赤泥,18.2,22.1±0.3,31.5,12.5,84.3,李伟,2026-03-02",
    "RM-02,赤泥,18.4,<0.05,31.2,12.7,62.3,李伟,2026/3/2",
)
LONG = csv_of(
    "sample,quantity,value,unit,uncertainty,k,lod",
    "A,SiO2,18.1,%,0.4,2,",
    "A,CaO,ND,%,,,0.05",
    "B,SiO2,18.3,%,0.4,2,",
)
TRANSPOSED = csv_of("项目,单位,RM-01,RM-02", "SiO2,%,18,19", "Al2O3,%,20,21", "烧失量,%,10,11")

#: One small file per layout: (name, bytes). The tests cut and damage them.
SAMPLES: dict[str, tuple[str, bytes]] = {
    "panalytical_one": ("one.csv", PANALYTICAL_ONE),
    "panalytical_table": ("table.csv", PANALYTICAL_TABLE),
    "s8": ("s8.csv", S8),
    "rigaku": ("rigaku.txt", RIGAKU),
    "winlab": ("winlab.csv", WINLAB),
    "mastersizer": ("psd.csv", mastersizer()),
    "press": ("press.txt", press()),
    "wide": ("wide.csv", WIDE),
    "long": ("long.csv", LONG),
    "transposed": ("transposed.csv", TRANSPOSED),
}

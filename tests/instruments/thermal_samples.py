"""Small synthetic instrument files written from the documented layouts, and the real ones beside the checkout.

Everything written here is synthetic: names, numbers and dates are made up.
"""

from __future__ import annotations

import gzip
import io
import os
import struct
from pathlib import Path

import numpy as np
import pytest

SHARED = Path(os.environ.get("WASTELAB_SHARED", Path(__file__).parents[2].parent / "shared")) / "instrument_files"


def real(name: str) -> tuple[bytes, str]:
    """Bytes and name of a real file, unpacked; skips, loudly, where it is absent."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"real instrument file {name} is absent (looked in {SHARED}); set WASTELAB_SHARED to its folder")
    data = path.read_bytes()
    return (gzip.decompress(data), path.name.removesuffix(".gz")) if name.endswith(".gz") else (data, path.name)


def netzsch(*, decimal: str = ".", separator: str = ";", encoding: str = "latin-1", rows: int = 6) -> bytes:
    """NETZSCH text with TG, DSC, DTG and a segment."""
    names = {";": "SEMICOLON", ",": "COMMA", "\t": "TAB"}
    head = [
        "#EXPORTTYPE:DATA ALL",
        "#FILE:synthetic.ngb-ss3",
        "#FORMAT:NETZSCH5",
        "#FTYPE:ANSI",
        "#IDENTITY:RM-SYN-01",
        f"#DECIMAL:{'POINT' if decimal == '.' else 'COMMA'}",
        f"#SEPARATOR:{names[separator]}",
        "#MTYPE:DSC-TG",
        "#INSTRUMENT:NETZSCH STA synthetic",
        "#DATE/TIME:02.03.2026 14:05",
        "#OPERATOR:Li Wei",
        "#SAMPLE:RM-SYN-01",
        f"#SAMPLE MASS /mg:{'10.5'.replace('.', decimal)}",
        "#TYPE OF CRUCIBLE:Al2O3 85 µl",
        "#EXO:-1",
        "#RANGE:30°C/10.0(K/min)/1000°C",
        "",
        separator.join(
            ["##Temp./°C", "Time/min", "Mass/%", "DSC/(mW/mg)", "DTG/(%/min)", "Gas Flow(purge2)/(ml/min)", "Segment"]
        ),
    ]
    body = []
    for k in range(rows):
        cells = [
            f"{30 + 5 * k:9.5f}",
            f"{0.5 * k:8.5f}",
            f"{100 - k * k / 8:8.5f}",
            f"{0.01 * k - 0.02:8.5f}",
            f"{-k / 4:.5f}",
            "50.00000",
        ]
        body.append(separator.join([*(c.replace(".", decimal) for c in cells), str(1 + k // 3)]))
    return ("\r\n".join([*head, *body, ""]) + "\r\n").encode(encoding)


def pyris(*, stated: int | None = None) -> bytes:
    """Perkin-Elmer Pyris text with two stages of three and two points."""
    head = [
        "Filename:\tC:\\Pyris\\synthetic.tg8d ",
        "Operator ID:\tLi Wei ",
        "Sample ID:\tCG-SYN-02 ",
        "Serial Number:\t000 ",
        "Data Collected:\t25/04/2026 08:20:41 ",
        "Sample Weight:\t7.026 mg ",
        f"Total Points in Run:\t{5 if stated is None else stated} ",
        "Method Steps: ",
        "1)\tHold for 1.0 min at 50.00°C ",
        "2)\tHeat from 50.00°C to 130.00°C at 5.00°C/min ",
        "1) TGA Isothermal ",
        "\tTime     \tUnsubtracted\tProgram     \tSample     \tSample      ",
        "\t          \tWeight     \tTemperature\tTemperature\tPurge Flow  ",
    ]
    rows = [
        "\t0.000000\t7.021777\t50.000000\t49.810000\t45.000000 ",
        "\t0.016667\t7.021505\t50.000000\t49.790000\t45.000000 ",
        "\t0.033333\t7.021233\t50.000000\t49.770000\t45.000000 ",
        "2) TGA Temperature Scan ",
        "\t0.050000\t7.020995\t50.100000\t49.750000\t44.900000 ",
        "\t0.066667\t7.020723\t50.200000\t49.750000\t45.000000 ",
    ]
    return "\n".join(
        [*head, *rows, " ", "PROFILE VALUES FOR THIS DATA: ", "Firmware Version\tTGA synthetic ", ""]
    ).encode()


def mettler() -> bytes:
    """Mettler STARe text with a mass and a heat flow curve on the same four points."""
    head = "Title                       01.01.2026 18:00\r\n" + "_" * 60 + "\r\n\r\nTitle\r\n\r\n\r\n"
    parts = []
    for name, unit, values in (
        ("Sample Weight", "mg", (4.9, 4.8, 4.7, 4.6)),
        ("Heat Flow", "mW", (1.0, -0.5, -0.25, 0.125)),
    ):
        rows = "".join(f"{k:15d}{k:15d}{45.5 + k:15.3f}{50 + k / 12:15.3f}{v:15.5f}\r\n" for k, v in enumerate(values))
        parts.append(
            f"FileName:\r\n  SYN-03, 01.01.2026 18:00:00\r\n  {name}\r\nSampleID:\r\n  SYN-03, 4.9292 mg\r\n"
            "Method:\r\n  up\r\nUser:\r\n  thermo\r\nResults:\r\nCurve:\r\n"
            "          Index              t             Ts             Tr          Value\r\n"
            f"                           [s]           [°C]           [°C]           [{unit}]\r\n"
            f"{rows}\r\n\r\nLastKeyWD:\r\n  Alumina 150ul\r\n\r\n"
        )
    return (head + "".join(parts) + "_" * 60 + "\r\n" + " " * 40 + "STARe SW 17.00").encode("latin-1")


def ta(*, ended: bool = True) -> bytes:
    """TA Instruments text in UTF-16 with a gas switch."""
    head = [
        "CLOSED",
        "Version\t2.0",
        "Instrument\tTGA Q500 synthetic",
        "Operator\tLi Wei",
        "Sample\tSYN-04",
        "Size\t20.8210\tmg",
        "Method\tramp",
        "Nsig\t3",
        "Sig1\tTime (min)",
        "Sig2\tTemperature (°C)",
        "Sig3\tWeight (mg)",
        "Date\t2026-03-17",
        "Time\t19:36:37",
        "OrgMethod\t1: Select gas 1",
        "StartOfData",
    ]
    rows = [
        "-3.000000\t1.000000\t0.0000000",
        "6.66667E-4\t22.70189\t20.82160",
        ".004166667\t22.71622\t20.82224",
        "-3.000000\t2.000000\t0.0000000",
        "0.01250000\t22.72497\t20.82254",
    ]
    end = ["-1.000000\t22.72497\t0.0000000"] if ended else []
    return b"\xff\xfe" + "\n".join([*head, *rows, *end, ""]).encode("utf-16-le")


def tam_gen1() -> bytes:
    """TAM Air, first generation: two channels, decimal comma."""
    rows = []
    for k in range(6):
        flows = "\t".join(f"{x:.4f}".replace(".", ",") for x in (-0.1 + 0.05 * k, 1.5 - 0.1 * k))
        rows.append(f"{10 * k}\t{flows}\t{'start' if k == 2 else ''}")
    return ("Time\tChannel 3\tChannel 4\tTime markers\nSeconds\tmW\tmW\t\n\t\t\t\n" + "\n".join(rows) + "\n").encode()


def tam_gen3(*, normalised: bool = True, sections: bool = True) -> bytes:
    """TAM Air, third generation, with or without the columns that a sample mass brings."""
    head = (
        'Summary\nName,"SYN.rslt"\nStart time,2026 Mar 2 - 7:21\nOperator,"Li Wei"\n'
        'Results file path,"C:\\SYN.rslt"\n,Sample - Ch 1\nName,"OPC-SYN"\n\n'
    )
    names = [
        "Time",
        "Temperature",
        "Heat flow",
        "Heat",
        *(["Normalized heat flow", "Normalized heat"] if normalised else []),
        "Time markers",
    ]
    rows = []
    for k in range(-2, 6):
        numbers = [f"{20.5 * k}", "20", f"{0.001 * k:.6f}", "NaN" if k < 0 else f"{0.0205 * k * k:.6f}"]
        numbers += [f"{0.0005 * k:.6f}", "NaN" if k < 0 else f"{0.01025 * k * k:.6f}"] if normalised else []
        rows.append(",".join([*numbers, '""']))
    tail = (
        '\n"Data series","Section name","No. of data","Start time","End time"\n'
        '"Heat flow [Signal]"\n,"Main",6,0,102.5,1\n'
        if sections
        else ""
    )
    return (head + ",".join(f'"{n}"' for n in names) + "\n" + "\n".join(rows) + "\n" + tail).encode()


def jcamp(*, form: str = "affn", end: bool = True) -> bytes:
    """JCAMP-DX infrared spectrum of 12 points in AFFN, packed or difference form."""
    head = [
        "##TITLE=SYN-05",
        "##JCAMP-DX=4.24",
        "##DATA TYPE=INFRARED SPECTRUM",
        "##XUNITS=1/CM",
        "##YUNITS=TRANSMITTANCE",
        "##FIRSTX=400",
        "##LASTX=422",
        "##DELTAX=2",
        "##XFACTOR=1",
        "##YFACTOR=0.01",
        "##FIRSTY=1",
        "##NPOINTS=12",
        "##XYDATA=(X++(Y..Y))",
    ]
    if form == "affn":
        rows = ["400 100 101 103 103 103 99", "412 90 90 91 95 98 100"]
    elif form == "pac":
        rows = ["400+100+101+103+103+103+99", "412+90+90+91+95+98+100"]
    elif form == "sqz":
        rows = ["400A00A01A03A03A03I9", "412I0I0I1I5I8A00"]
    else:  # differences and repeats, each line begins with the check value of the one before
        rows = ["400A00JK%Tm", "410I9r%J", "416I1MLK"]
    return "\r\n".join([*head, *rows, *(["##END="] if end else []), ""]).encode()


def asp() -> bytes:
    """PerkinElmer .asp of 10 points."""
    return "\r\n".join(
        ["10", "4000.0", "3991.0", "1", "2", "4", *(f"{0.01 * k + 0.001:.6f}" for k in range(10)), ""]
    ).encode()


def ir_columns(encoding: str = "gb18030") -> bytes:
    """Two columns with Chinese headings."""
    return ("波数(cm-1),透过率(%)\r\n" + "".join(f"{4000 - 2 * k},{95.5 - k}\r\n" for k in range(8))).encode(encoding)


def bel_dat(encoding: str = "cp932") -> bytes:
    """BELSORP .DAT in Japanese."""
    rule = "===================="
    lines = [
        rule,
        " 装置情報 BELSORP-max",
        rule,
        '"装置Ｓ／Ｎ："\t00000',
        rule,
        " サンプル情報",
        rule,
        '"試料重量／g："\t0.18740',
        '"コメント１："\t"SYN-06"',
        rule,
        " 時間",
        rule,
        '"測定開始日："\t26/03/02',
    ]
    head = '"No."\t"Pe/kPa"\t"P0/kPa"\t"Vd/ml"\t"V/ml(STP) g-1"'
    lines += [
        rule,
        " 吸着データ",
        rule,
        head,
        "1\t1.0E-2\t98.5\t41.5\t2.5",
        "2\t1.0\t98.5\t41.5\t5.5",
        "3\t50\t98.5\t41.5\t9.5",
        "0\t0\t0\t0\t0",
    ]
    lines += [rule, " 脱着データ", rule, head, "1\t40\t98.5\t41.5\t9.4", "2\t20.5\t98.5\t41.5\t8", "0\t0\t0\t0\t0", ""]
    return "\n".join(lines).encode(encoding)


def bel_csv(encoding: str = "cp932") -> bytes:
    """BELSORP .csv in Japanese."""
    return (
        "ファイル名,SYN.DAT\n測定日,2026-03-02\nコメント１,SYN-07\nサンプル質量,0.817,[g]\n吸着データ数,3\n脱着データ数,1\n\n"
        "No,pi/kPa,pe/kPa,pe2/kPa,p0/kPa,p/p0,Va/cm^3(STP) g^-1\nADS\n1,1.042,4.05E-02,4.07E-02,100,4.05E-04,0.3878\n"
        "2,48.884,1.7808,1.7844,100,1.78E-02,16.157\n3,50,45,45,100,0.45,31.706\nDES\n1,0,20,20,100,0.2,30\n"
    ).encode(encoding)


def quantachrome() -> bytes:
    """Quantachrome raw analysis data."""
    return (
        "          Quantachrome QuadraWin - synthetic\n\nAnalysis                  Report\n"
        "Operator:      Li Wei         Date:12/21/2026     Operator: Li Wei\n"
        "Sample ID:     SYN-08     Filename:      SYN.QPS\n"
        "Sample weight: 0.1010 g\nAnalysis gas:  Nitrogen            Bath Temp:     77.3 K\n\n"
        "      Press            P0         Volume @ STP         Tol           TimeOut      EquLibration\n\n"
        "      mmHg            mmHg             cc                              sec\n\n"
        "       1.06          764.44            1.1352          0.00          600             300\n"
        "     300.10          764.44            2.2500          0.00          600             300\n"
        "     700.20          764.44            4.5000          0.00          600             300\n"
        "     200.30          764.44            3.0000          0.00          600             300\n"
    ).encode("latin-1")


def _workbook(sheets: dict[str, list[list[object]]]) -> bytes:
    import openpyxl

    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def three_p() -> bytes:
    """3P workbook."""
    summary = [
        ["Project"],
        ["Sample", "SYN-09"],
        ["Adsorbate", "N2"],
        ["Sample Weight", "0,0304(g)"],
        ["Started Time", "2026-03-02 10:52:04"],
        ["BET Surface Area:", "803,818", "(m²/g)"],
    ]
    points = [
        ["Charge Number"],
        ["ID", "p (kPa)", "p/p0", "V (cm³/g STP)", "p0 (kPa)", "Time"],
        [1, 0.16, 0.0016, 139.4, 102.7, "11:43:27"],
        [2, 50.2, 0.489, 216.4, 102.65, "11:52:38"],
        ["---"] * 6,
        [1, 20.5, 0.1996, 201.1, 102.7, "14:01:44"],
    ]
    return _workbook({"Summary": summary, "Isotherm": points})


def micromeritics() -> bytes:
    """Micromeritics report workbook with two reports side by side."""
    bar = "|"
    rows: list[list[object]] = [
        ["Micromeritics Instrument Corporation", "", bar, "Micromeritics Instrument Corporation", "", "", bar],
        ["TriStar synthetic", "", bar, "TriStar synthetic", "", "", bar],
        ["", "Serial # 0", bar, "", "Serial # 0", "", bar],
        ["Sample:", "SYN-10", bar, "Sample:", "SYN-10", "", bar],
        ["Started:", "6/17/2026 12:27:21 PM", bar, "", "", "", bar],
        ["Sample Mass:", "0.1013 g", bar, "", "", "", bar],
        ["Summary Report", "", bar, "Isotherm Tabular Report", "", "", bar],
        ["", "", bar, "Relative Pressure (P/Po)", "Absolute Pressure (mmHg)", "Quantity Adsorbed (cm³/g STP)", bar],
        ["BET Surface Area:", "194.7493 m²/g", bar, 0.0066, 4.9, 28.7, bar],
        ["", "", bar, 0.35, 257.0, 65.7, bar],
        ["", "", bar, 0.99, 727.0, 390.1, bar],
        ["", "", bar, 0.5, 367.0, 100.2, bar],
    ]
    return _workbook({"Sheet1": rows})


def cnf(counts: np.ndarray | None = None) -> bytes:
    """Canberra .CNF of 256 channels: directory, acquisition parameters, channels."""
    counts = np.arange(256, dtype="<u4") % 7 if counts is None else counts.astype("<u4")
    acquisition, channels = 0x800, 0x1200
    size = channels + 512 + 4 * len(counts)
    data = bytearray(size)
    data[:2] = b"\x00\x04"
    struct.pack_into("<I", data, 10, size)
    for k, (kind, at, extent) in enumerate(((0x12000, acquisition, 0xA00), (0x12005, channels, 512 + 4 * len(counts)))):
        struct.pack_into("<I", data, 112 + 48 * k, kind)
        struct.pack_into("<II", data, 112 + 48 * k + 6, extent, at)
        struct.pack_into("<I", data, at, kind)
    struct.pack_into("<HH", data, acquisition + 34, 951, 726)
    struct.pack_into("<I", data, acquisition + 48 + 137, len(counts))
    for k, value in enumerate((0.5, 2.0, 0.0, 0.0)):
        word = struct.pack("<f", value * 4)
        at = acquisition + 48 + 951 + 68 + 4 * k
        data[at : at + 4] = word[2:] + word[:2]
    data[acquisition + 48 + 951 + 92 : acquisition + 48 + 951 + 95] = b"keV"
    start = 49_540 * 86400 * 10**7  # 49 540 days after 17 November 1858
    struct.pack_into("<QQQ", data, acquisition + 48 + 726 + 1, start, 2**64 - 200 * 10**7, 2**64 - 190 * 10**7)
    data[channels + 512 :] = counts.tobytes()
    return bytes(data)


def mat(*, compress: bool = False) -> bytes:
    """MATLAB version-5 file with arrays, a structure, a text and a number."""
    from scipy.io import savemat

    out = io.BytesIO()
    savemat(
        out,
        {
            "x": np.arange(5.0),
            "grid": np.arange(6, dtype=np.int32).reshape(2, 3),
            "s": {"a": np.array([1.5, 2.5]), "name": "赤泥"},
            "t": 3.5,
            "z": np.array([1 + 2j, 3 - 1j]),
        },
        do_compression=compress,
    )
    return out.getvalue()


#: Every synthetic file: name, bytes, reader.
SYNTHETIC = {
    "netzsch_dsc.txt": (netzsch, "netzsch_text"),
    "netzsch_comma.csv": (lambda: netzsch(decimal=",", separator=";"), "netzsch_text"),
    "netzsch_tab.txt": (lambda: netzsch(separator="\t", encoding="utf-8"), "netzsch_text"),
    "pyris.txt": (pyris, "perkinelmer_pyris"),
    "stare.txt": (mettler, "mettler_stare"),
    "ta.txt": (ta, "ta_text"),
    "tam1.csv": (tam_gen1, "tam_air"),
    "tam3.csv": (tam_gen3, "tam_air"),
    "tam3_no_mass.csv": (lambda: tam_gen3(normalised=False, sections=False), "tam_air"),
    "affn.jdx": (jcamp, "jcamp_ir"),
    "pac.jdx": (lambda: jcamp(form="pac"), "jcamp_ir"),
    "sqz.dx": (lambda: jcamp(form="sqz"), "jcamp_ir"),
    "dif.dx": (lambda: jcamp(form="dif"), "jcamp_ir"),
    "spectrum.asp": (asp, "perkinelmer_asp"),
    "红外.csv": (ir_columns, "ir_columns"),
    "bel.DAT": (bel_dat, "bel_sorption"),
    "bel.csv": (bel_csv, "bel_sorption"),
    "raw.txt": (quantachrome, "quantachrome_sorption"),
    "three_p.xlsx": (three_p, "3p_sorption"),
    "micromeritics.xlsx": (micromeritics, "micromeritics_sorption"),
    "gamma.CNF": (cnf, "canberra_cnf"),
    "plain.mat": (mat, "matlab_mat"),
    "packed.mat": (lambda: mat(compress=True), "matlab_mat"),
}

#: Every real file of these kinds: path, reader, number of readings, number of points.
REAL = {
    "tga_netzsch_txt/netzsch_example_file.txt": ("netzsch_text", 1, 270),
    "tga_netzsch_txt/netzsch_example3.txt": ("netzsch_text", 1, 7022),
    "sta_netzsch_ngb/Red_Oak_STA_10K_250731_R7.ngb-ss3": ("netzsch_ngb", 1, 9171),
    "sta_netzsch_ngb/Douglas_Fir_STA_10K_250730_R13.ngb-ss3": ("netzsch_ngb", 1, 9190),
    "sta_netzsch_ngb/01_Messung_Probe_G_300_Grad_Ar.ngb-ds3": ("netzsch_ngb", 2, 5801),
    "tga_perkinelmer_txt/PerkinElmer_example_file.txt": ("perkinelmer_pyris", 1, 12098),
    "tga_mettler_txt/MettlerToledo_example_file.txt.gz": ("mettler_stare", 1, 12661),
    "tga_mettler_txt/MettlerToledo_example_head.txt": ("mettler_stare", 1, 5256),
    "tga_mettler_txt/mp2028_281122_LNO+C.txt": ("mettler_stare", 1, 4051),
    "tga_ta_txt/TAInstruments_example_file.txt.gz": ("ta_text", 1, 15577),
    "tga_ta_txt/TAInstruments_example_head.txt": ("ta_text", 1, 3301),
    "calorimetry_tamair/gen1_calofile2.csv": ("tam_air", 1, 26988),
    "calorimetry_tamair/gen3_calofile.csv": ("tam_air", 1, 4384),
    "calorimetry_tamair/excel_example3.xls": ("tam_air", 1, 2801),
    "ftir/FTIRText_020.jdx.txt": ("jcamp_ir", 1, 27),
    "ftir/2024-10-10_FeSO4_ref.asp": ("perkinelmer_asp", 1, 1932),
    "sorption_micromeritics_xls/Sample_A.xls": ("micromeritics_sorption", 1, 84),
    "sorption_micromeritics_xls/Sample_B.xls": ("micromeritics_sorption", 1, 1),
    "sorption_micromeritics_xls/Sample_C.xls": ("micromeritics_sorption", 1, 66),
    "sorption_quantachrome_txt/BF001_DUT-13_(Raw_Analysis_Data).txt": ("quantachrome_sorption", 1, 82),
    "sorption_bel/200819-2_jis.DAT": ("bel_sorption", 1, 62),
    "sorption_bel/DUT-49_N2_77K.DAT": ("bel_sorption", 1, 134),
    "sorption_bel/ASch082C_Zntmbdcdabco_C2H6_Exp190819a_jis.csv": ("bel_sorption", 1, 85),
    "sorption_3p_xlsx/CBV712_N2_77K.xlsx": ("3p_sorption", 1, 50),
    "gamma_canberra_cnf/background_8.CNF": ("canberra_cnf", 1, 8192),
    "matlab_mat/teststruct_7.4_GLNX86.mat": ("matlab_mat", 1, 3),
    "matlab_mat/testunicode_7.4_GLNX86.mat": ("matlab_mat", 1, 0),
    "matlab_mat/testhdf5_7.4_GLNX86.mat": ("matlab_mat", 1, 9),
    "matlab_mat/testfile13.mat": ("matlab_mat", 1, 2),
    "matlab_mat/testfile15.mat": ("matlab_mat", 1, 10),
}

"""The waste account: mass is conserved to the gram, nothing leaves that is not there, nothing is edited."""

from __future__ import annotations

import csv
import json
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from wastelab.errors import LabError, UnknownNameError
from wastelab.lab import schema as s
from wastelab.lab.entities import ENTITIES, load
from wastelab.lab.lab import Lab, open_lab
from wastelab.lab.ledger import Ledger
from wastelab.lab.ledger_book import dry_grams


def start(lab: Lab) -> Ledger:
    """One red mud of 32.4 t at 30 % in a shed, a silo beside it, samples, a mix and a specimen."""
    book = lab.ledger
    lab.add("source", code="HEAP", name="heap", waste_class="red_mud")
    lab.add("sample", code="RM-1", waste_class="red_mud", source="HEAP")
    lab.add("sample", code="RM-1-D", parent="RM-1")
    lab.add("mix", code="M-1", components=[
        {"sample": "RM-1-D", "fraction": 0.3}, {"material": "raw/limestone", "fraction": 0.7},
    ])  # fmt: skip
    lab.add("specimen", code="S-1", mix="M-1")
    book.add_yard("N1", kind="shed", capacity_t="500 t", name_zh="北棚")
    book.add_yard("S2", kind="silo")
    book.add_batch("B-1", "赤泥", "2024-03-02", yard="N1", source="HEAP", samples=["RM-1"], mass="32400 kg",
                   moisture="30 %", document="WB-1", waste_code="900-001-S17")  # fmt: skip
    return book


@pytest.fixture
def book(new_lab: Callable[..., Lab]) -> Ledger:
    return start(new_lab())


def stock(book: Ledger, yard: str, at: str | None = None) -> float:
    table = book.balance(at)
    return float(table.loc[table["yard"] == yard, "stock_wet_t"].sum())


def test_an_account_by_hand_on_every_engine(lab: Lab) -> None:
    book = start(lab)
    book.transfer("B-1", "10 t", "2024-03-05", "S2", moisture=30)
    used = book.use("B-1", 5, "2024-04-05", yard_from="S2", moisture="28 %", mix="M-1", product="clinker",
                    product_quantity="12 t")  # fmt: skip
    table = book.balance().set_index("yard")
    assert table.loc["N1", ["stock_wet_t", "stock_dry_t"]].tolist() == [22.4, 15.68]
    assert table.loc["S2", ["in_wet_t", "out_wet_t", "stock_wet_t", "stock_dry_t"]].tolist() == [10.0, 5.0, 5.0, 3.4]
    whole = book.balance(by=["waste_class"]).iloc[0]  # inside one class a transfer is no movement
    assert (whole["in_wet_t"], whole["out_wet_t"], whole["stock_wet_t"]) == (32.4, 5.0, 27.4)
    assert stock(book, "S2", "2024-04-04") == 10.0 and stock(book, "S2", "2024-04-05") == 5.0
    months = book.monthly().set_index("month")
    assert months.index.tolist() == ["2024-03", "2024-04"]
    assert months.loc["2024-04", ["opening_wet_t", "used_wet_t", "closing_wet_t"]].tolist() == [32.4, 5.0, 27.4]
    assert months.loc["2024-04", ["opening_dry_t", "used_dry_t", "closing_dry_t"]].tolist() == [22.68, 3.6, 19.08]
    book.reverse(used, "weighed twice")
    assert stock(book, "S2") == 10.0
    assert book.entries(reversed=False)["kind"].tolist() == ["received", "transferred"]
    red = book.entries(kind="used")
    assert red["mass_t"].tolist() == [5.0, -5.0] and red["dry_t"].tolist() == [3.6, -3.6]
    assert red.loc[1, "reverses"] == used and red.loc[0, "reversed_by"] == red.loc[1, "uid"]
    with lab.store.read() as conn:  # what was recorded stays: the entry itself is untouched
        assert conn.execute(select(s.movement.c.mass_t).where(s.movement.c.uid == used)).scalar() == 5.0
    assert lab.verify().ok


def test_every_record_of_the_account_is_audited(book: Ledger) -> None:
    book.reconciliation("N1", "30 t", "2024-05-01")
    with book.store.read() as conn:
        for name in ("yard", "batch", "batch_sample", "movement", "stocktake"):
            records = load(conn, name)
            assert records, name
            for record in records.values():
                assert conn.execute(
                    select(s.audit_item.c.change).where(
                        (s.audit_item.c.entity == name) & (s.audit_item.c.uid == record["uid"])
                    )
                ).scalars().all() == ["insert"]  # fmt: skip
    assert not ENTITIES["movement"].mutable and not ENTITIES["stocktake"].mutable


def test_a_batch_and_its_receipt_are_one_act(book: Ledger) -> None:
    with pytest.raises(LabError, match="yard_to is missing"):
        book.add_batch("B-2", "fly_ash", "2024-03-02", mass="1 t")
    with pytest.raises(UnknownNameError, match="no batch 'B-2'"):
        book.receive("B-2", 1, "2024-03-03", yard_to="N1")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda b: b.use("B-1", 33, "2024-03-06"), ["'B-1'", "'N1'", "2024-03-06", "32.4 t", "33 t"]),
        (lambda b: b.use("B-1", "3 ton", "2024-03-06"), ["'ton'", "907", '"3 t"']),
        (lambda b: b.use("B-1", "5 mt", "2024-03-06"), ["'mt'", "t, kg"]),
        (lambda b: b.use("B-1", "5", "2024-03-06"), ["unit ''", "t, kg"]),
        (lambda b: b.use("B-1", "5 m3", "2024-03-06"), ["'m3'"]),
        (lambda b: b.use("B-1", 0, "2024-03-06"), ["not above zero"]),
        (lambda b: b.use("B-1", -1, "2024-03-06"), ["not above zero"]),
        (lambda b: b.use("B-1", "0.4 g", "2024-03-06"), ["not above zero"]),
        (lambda b: b.use("B-1", float("nan"), "2024-03-06"), ["not a mass that can be"]),
        (lambda b: b.use("B-1", 1, "2024-03-01"), ["before the batch was received", "2024-03-02"]),
        (lambda b: b.use("B-1", 1, "2024-02-30"), ["does not exist"]),
        (lambda b: b.use("B-1", 1, "2024-03"), ["write the day"]),
        (lambda b: b.use("B-1", 1, "2024-03-06T10:00Z"), ["local time"]),
        (lambda b: b.use("B-1", 1, "2024-03-06", moisture=100), ["outside 0 to below 100"]),
        (lambda b: b.use("B-1", 1, "2024-03-06", moisture="-1 %"), ["outside 0"]),
        (lambda b: b.use("B-1", 1, "2024-03-06", moisture="0.3 kg"), ["percentage"]),
        (lambda b: b.use("B-1", 1, "2024-03-06", yard_to="N1"), ["no yard_to"]),
        (lambda b: b.use("B-1", 1, "2024-03-06", product_quantity="3 t"), ["without a product"]),
        (lambda b: b.use("B-1", 1, "2024-03-06", product="x", product_quantity="3"), ["its unit"]),
        (lambda b: b.use("B-1", 1, "2024-03-06", colour="red"), ["'colour'"]),
        (lambda b: b.sell("B-1", 1, "2024-03-06", mix="M-1"), ["kind used"]),
        (lambda b: b.transfer("B-1", 1, "2024-03-06", "N1"), ["same yard"]),
        (lambda b: b.adjust("B-1", 1, "2024-03-06", yard_from="N1", reason=" "), ["needs a reason"]),
        (lambda b: b.return_("B-1", 1, "2024-03-06"), ["one of the two"]),
        (lambda b: b.return_("B-1", 1, "2024-03-06", yard_to="N1"), ["come back from use", "0 t"]),
        (lambda b: b.move("burnt", "B-1", 1, "2024-03-06"), ["'burnt'", "Kinds"]),
        (lambda b: b.receive("B-1", "32.4 t", "2024-03-02", document="WB-1"), ["'WB-1'", "recorded already"]),
        (lambda b: b.add_batch("B-2", "red_mudd", "2024-03-02"), ["Did you mean 'red_mud'"]),
        (lambda b: b.add_batch("B-1", "red_mud", "2024-03-02"), ["exists already"]),
        (lambda b: b.add_batch("B-2", "red_mud", "2024-03-02", moisture="3 %"), ["give the mass too"]),
        (lambda b: b.add_yard("N3", kind="hole"), ["'hole'", "shed"]),
        (lambda b: b.add_yard("N3", latitude=91), ["latitude", "-90"]),
        (lambda b: b.link("B-1", "RM-1"), ["linked with it already"]),
        (lambda b: b.balance(by=["colour"]), ["'colour'", "waste_class"]),
        (lambda b: b.entries(batches="B-1"), ["Did you mean 'batch'"]),
        (lambda b: b.reverse("nothing", "x"), ["no movement 'nothing'"]),
        (lambda b: b.storage(basis="moist"), ["'moist'"]),
        (lambda b: b.trace("HEAP", "up"), ["'up'"]),
    ],
)
def test_wrong_input_gets_one_clear_error_and_changes_nothing(
    book: Ledger, call: Callable[[Ledger], Any], words: list[str]
) -> None:
    before = book.entries(), book.balance()
    with pytest.raises(LabError) as caught:
        call(book)
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert book.entries().equals(before[0]) and book.balance().equals(before[1])


def test_unknown_names_are_named(book: Ledger) -> None:
    with pytest.raises(UnknownNameError, match=r"no yard 'N9'.*'N1'"):
        book.use("B-1", 1, "2024-03-06", yard_from="N9")
    with pytest.raises(UnknownNameError, match="no mix 'M-9'"):
        book.use("B-1", 1, "2024-03-06", mix="M-9")
    with pytest.raises(UnknownNameError, match="'nowhere'"):
        book.trace("nowhere")


def test_tomorrow_is_allowed_and_the_day_after_is_not(book: Ledger) -> None:
    today = datetime.now(UTC).date()
    book.use("B-1", 1, today + timedelta(days=1))  # it may be tomorrow already, east of Greenwich
    with pytest.raises(LabError, match="in the future"):
        book.use("B-1", 1, today + timedelta(days=2))


def test_a_late_entry_is_checked_against_later_ones(book: Ledger) -> None:
    book.use("B-1", 30, "2024-06-01", document="U-7")
    with pytest.raises(LabError, match=r"2024-06-01 there are 27.4 t.*2024-05-01.*30 t left then.*U-7.*2.6 t"):
        book.sell("B-1", 5, "2024-05-01")
    book.sell("B-1", "2.4 t", "2024-05-01")
    receipt = book.entries(kind="received").loc[0, "uid"]
    with pytest.raises(LabError, match="would be missing"):
        book.reverse(receipt, "wrong ticket")
    assert stock(book, "N1") == 0.0


def test_four_at_once_cannot_take_the_same_tonnes(lab: Lab) -> None:
    book = start(lab)

    def take(n: int) -> bool:
        try:
            book.use("B-1", 10, "2024-04-01", document=f"U-{n}", moisture=30)
        except LabError as exc:
            assert "cannot leave" in str(exc)
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(take, range(4))) == [False, True, True, True]
    assert stock(book, "N1") == 2.4 and lab.verify().ok


def test_within_a_day_without_a_time_what_comes_in_can_leave(book: Ledger) -> None:
    book.add_batch("B-3", "fly_ash", "2024-03-10", yard="N1")
    with pytest.raises(LabError, match="0 t, 1 t cannot leave"):
        book.use("B-3", 1, "2024-03-10")
    book.receive("B-3", 2, "2024-03-10T12:00")
    book.use("B-3", 1, "2024-03-10")
    with pytest.raises(LabError, match="cannot leave"):
        book.use("B-3", 1, "2024-03-10T11:59")  # with a time it is earlier than the receipt
    book.use("B-3", 1, "2024-03-10T12:00:30")


def test_reversals_follow_rules_of_their_own(book: Ledger) -> None:
    used = book.use("B-1", 5, "2024-04-05")
    undone = book.reverse(used, "wrong batch", at="2024-06-10")  # April and May are closed
    months = book.monthly(until="2024-06").set_index("month")
    assert months["closing_wet_t"].tolist() == [32.4, 27.4, 27.4, 32.4]
    assert months["used_wet_t"].tolist() == [0.0, 5.0, 0.0, -5.0]
    for uid, words in ((used, "reversed already"), (undone, "itself a reversal")):
        with pytest.raises(LabError, match=words):
            book.reverse(uid, "again")
    other = book.use("B-1", 5, "2024-04-05")
    with pytest.raises(LabError, match="before the movement itself"):
        book.reverse(other, "x", at="2024-04-04")
    with pytest.raises(LabError, match="needs a reason"):
        book.reverse(other, " ")
    # the same ticket may come again once it was reversed
    first = book.sell("B-1", 1, "2024-04-06", document="S-1")
    book.reverse(first, "wrong")
    book.sell("B-1", 1, "2024-04-06", document="S-1")


def test_moisture_that_is_missing_is_never_guessed(book: Ledger) -> None:
    lost = book.use("B-1", 2, "2024-04-01")
    row = book.balance().iloc[0]
    assert row["stock_wet_t"] == 30.4 and row["stock_dry_t"] != row["stock_dry_t"] and row["without_moisture"] == 1
    assert row["in_dry_t"] == 22.68
    book.reverse(lost, "moisture forgotten")
    assert book.balance().iloc[0]["stock_dry_t"] == 22.68


def test_drying_is_an_adjustment_of_pure_water(book: Ledger) -> None:
    book.adjust("B-1", "2.4 t", "2024-05-01", yard_from="N1", moisture="100 %", reason="dried in the shed")
    row = book.balance().iloc[0]
    assert (row["stock_wet_t"], row["stock_dry_t"]) == (30.0, 22.68)


@pytest.mark.parametrize(("grams", "moisture", "dry"), [(32_400_000, 30.0, 22_680_000), (1, 50.0, 0), (3, 50.0, 2),
                                                        (10**15, 0.1, 999 * 10**12)])  # fmt: skip
def test_dry_mass_is_exact_to_the_gram(grams: int, moisture: float, dry: int) -> None:
    assert dry_grams(grams, moisture) == dry  # ties to even


def test_stocktaking_stands_beside_the_book(book: Ledger) -> None:
    found = book.reconciliation("N1", "31.4 t", "2024-05-01", "red_mud", moisture="29 %", mass_sigma="500 kg")
    assert (found["book_t"], found["error_t"]) == (32.4, -1.0)
    assert found["error_percent"] == pytest.approx(-100 / 32.4, rel=1e-14)
    assert found["error_dry_t"] == pytest.approx(31.4 * 0.71 - 22.68, abs=1e-6)
    assert stock(book, "N1") == 32.4
    empty = book.reconciliation("S2", 0, "2024-05-01")
    assert (empty["book_t"], empty["error_t"], empty["error_percent"]) == (0.0, 0.0, None)
    assert book.reconciliation("N1", 0, "2024-05-01", "fly_ash")["book_t"] == 0.0
    assert book.stocktakes()["error_t"].tolist() == [-1.0, 0.0, 0.0]
    book.adjust("B-1", "1 t", "2024-05-01", yard_from="N1", reason="stock-taking of 1 May")
    assert stock(book, "N1") == 31.4


# -- storage, worked by hand
def test_years_and_age_first_in_first_out(new_lab: Callable[..., Lab]) -> None:
    book = new_lab().ledger
    for yard in ("A", "B"):
        book.add_yard(yard)
    book.add_batch("G", "coal_gangue", "2022-01-01", yard="A", mass=100, moisture=10)
    book.receive("G", 50, "2023-01-01", moisture=10)
    book.transfer("G", 30, "2023-06-01", "B", moisture=10)  # 30 t of 2022-01-01
    book.use("G", 80, "2024-07-01", moisture=10)  # the other 70 t of 2022 and 10 t of 2023
    book.use("G", 5, "2024-08-01", moisture=10, yard_from="B")
    table = book.storage("2024-12-31").set_index("yard")
    assert table.loc["A", "oldest"] == "2023-01-01" and table.loc["B", "oldest"] == "2022-01-01"
    assert table["stock_t"].tolist() == [40.0, 25.0] and table["used_t"].tolist() == [80.0, 5.0]
    assert table["rate_t_per_a"].tolist() == pytest.approx([80 * 365.25 / 365, 5 * 365.25 / 365])
    assert table.loc["A", "years"] == pytest.approx(0.5 * 365 / 365.25)
    assert table.loc["A", "age_a"] == pytest.approx(730 / 365.25)
    assert table["status"].tolist() == ["ok", "due"]  # B: 5 years at this rate, and almost three already
    assert table["evidence"].tolist() == ["secondary", "secondary"] and "coal gangue" in table.loc["A", "source"]
    assert book.storage("2025-01-02").set_index("yard")["status"].tolist() == ["ok", "over"]
    dry = book.storage("2024-12-31", basis="dry").set_index("yard")
    assert dry.loc["A", ["stock_t", "used_t"]].tolist() == [36.0, 72.0]
    assert dry.loc["A", "years"] == pytest.approx(table.loc["A", "years"])
    both = book.storage("2024-12-31", by=["waste_class"]).iloc[0]
    assert (both["stock_t"], both["oldest"]) == (65.0, "2022-01-01")


def test_storage_says_when_it_does_not_know(book: Ledger) -> None:
    assert book.storage("2024-03-10")["status"].tolist() == ["unknown"]  # no use yet
    book.use("B-1", 1, "2024-03-09", moisture=30)
    assert book.storage("2024-03-10")["status"].tolist() == ["unknown"]  # nine days are no rate
    late = book.storage("2024-05-01").iloc[0]
    assert late["days"] == 61 and late["rate_t_per_a"] == pytest.approx(365.25 / 61) and late["status"] == "due"
    assert late["evidence"] == "memory" and "memory" in late["source"]
    assert book.storage("2025-04-01")["status"].tolist() == ["unknown"]  # nothing in the last twelve months
    assert book.storage("2027-03-01")["status"].tolist() == ["due"]
    book.sell("B-1", "31.4 t", "2024-06-01", moisture=30)
    gone = book.storage("2024-06-02").iloc[0]
    assert (gone["stock_t"], gone["oldest"], gone["status"]) == (0.0, "", "ok")


def test_what_comes_back_lowers_the_rate_and_keeps_its_age(book: Ledger) -> None:
    book.use("B-1", "32.4 t", "2024-06-01", moisture=30)
    book.return_("B-1", "2.4 t", "2024-06-05", yard_to="S2", moisture=30)
    table = book.storage("2024-06-30", by=["waste_class"]).iloc[0]
    assert (table["stock_t"], table["used_t"], table["oldest"]) == (2.4, 30.0, "2024-03-02")


# -- trace
def test_a_block_is_traced_to_its_heap_and_a_heap_to_its_blocks(book: Ledger) -> None:
    used = book.use("B-1", 5, "2024-04-05", moisture=28, mix="M-1", product="clinker")
    book.reverse(book.use("B-1", 7, "2024-04-06", mix="M-1"), "never happened")
    back = book.trace("S-1", "back")
    found = {(r.entity, r.code, r.relation) for r in back.itertuples()}
    assert found >= {
        ("mix", "M-1", "cast from"), ("sample", "RM-1-D", "part of"), ("sample", "RM-1", "parent of"),
        ("batch", "B-1", "sampled as"), ("batch", "B-1", "used for"), ("material", "raw/limestone", "part of"),
        ("source", "HEAP", "received from"),
    }  # fmt: skip
    shares = back.dropna(subset="share").groupby(["entity", "code"])["share"].sum()
    assert shares.to_dict() == pytest.approx({
        ("sample", "RM-1-D"): 0.3, ("sample", "RM-1"): 0.3, ("batch", "B-1"): 0.3, ("source", "HEAP"): 0.3,
        ("material", "raw/limestone"): 0.7,
    })  # fmt: skip
    masses = back.dropna(subset="wet_t")
    assert masses[["code", "wet_t", "dry_t", "yard"]].values.tolist() == [["B-1", 5.0, 3.6, "N1"]]
    forward = book.trace("HEAP", "forward")
    reached = set(zip(forward["entity"], forward["code"], strict=True))
    assert reached == {
        ("source", "HEAP"), ("batch", "B-1"), ("movement", "WB-1"), ("movement", ""), ("mix", "M-1"),
        ("specimen", "S-1"), ("product", "clinker"), ("sample", "RM-1"), ("sample", "RM-1-D"),
    }  # fmt: skip
    assert used in set(forward["uid"])


def test_a_composite_sample_says_that_its_share_is_joint(book: Ledger) -> None:
    book.add_batch("B-2", "red_mud", "2024-03-03", yard="N1", samples=["RM-1"])
    back = book.trace("M-1", "back")
    batches = back[back["entity"] == "batch"]
    assert batches["code"].tolist() == ["B-1", "B-2"] and batches["joint"].tolist() == [2, 2]


def test_a_code_of_two_kinds_must_be_said(book: Ledger) -> None:
    book.add_batch("M-1", "red_mud", "2024-03-03", yard="N1")
    with pytest.raises(LabError, match="mix:M-1 or batch:M-1"):
        book.trace("M-1")
    assert book.trace("batch:M-1").iloc[0]["entity"] == "batch"


# -- export
def test_csv_opens_in_a_spreadsheet_and_runs_nothing(book: Ledger, tmp_path: Path) -> None:
    book.use("B-1", 5, "2024-04-05", moisture=28, product="=HYPERLINK(1)", product_quantity="12 t", document="@SUM(A1)",
             note="-1+1", counterparty="+86 10")  # fmt: skip
    files = book.to_csv(tmp_path / "out")
    assert sorted(f.name for f in files) == [
        "monthly_account.csv", "movements.csv", "stock.csv", "stocktakes.csv", "uses.csv",
    ]  # fmt: skip
    assert all(f.read_bytes().startswith(b"\xef\xbb\xbf") for f in files)
    assert not list((tmp_path / "out").glob("*.tmp"))
    with (tmp_path / "out" / "monthly_account.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(r["月份"], r["固废类别"], r["废物代码"]) for r in rows] == [
        ("2024-03", "赤泥", "900-001-S17"), ("2024-04", "赤泥", "900-001-S17"),
    ]  # fmt: skip
    assert rows[1]["期初库存 湿基(t)"] == rows[0]["期末库存 湿基(t)"] == "32.4"
    assert (rows[1]["自行利用量 湿基(t)"], rows[1]["期末库存 干基(t)"]) == ("5.0", "19.08")
    with (tmp_path / "out" / "movements.csv").open(encoding="utf-8-sig", newline="") as file:
        cells = [c for row in csv.reader(file) for c in row]
    assert "'=HYPERLINK(1)" in cells and "'@SUM(A1)" in cells and "'-1+1" in cells and "'+86 10" in cells
    assert not [c for c in cells if c.startswith(("=", "@", "+", "-"))]


def test_the_workbook_says_the_same_and_runs_nothing(book: Ledger, tmp_path: Path) -> None:
    from openpyxl import load_workbook

    book.use("B-1", 5, "2024-04-05", moisture=28, product="=1+1")
    path = book.to_excel(tmp_path / "台账.xlsx")
    workbook = load_workbook(path)
    assert workbook.sheetnames == ["月度台账", "利用处置去向", "出入库明细", "盘点记录", "库存"]
    sheet = workbook["月度台账"]
    heads = [c.value for c in sheet[1]]
    last = dict(zip(heads, (c.value for c in sheet[3]), strict=True))
    assert last["期末库存 湿基(t)"] == 27.4 and last["月份"] == "2024-04"
    kinds = {(c.value, c.data_type) for row in workbook["出入库明细"].iter_rows() for c in row if c.value == "=1+1"}
    assert kinds == {("=1+1", "s")}
    with zipfile.ZipFile(path) as archive:
        assert not [n for n in archive.namelist() if "sheet" in n and b"<f>" in archive.read(n)]
    with pytest.raises(LabError, match="xlsx"):
        book.to_excel(tmp_path / "a.csv")
    with pytest.raises(LabError, match="no folder"):
        book.to_excel(tmp_path / "none" / "a.xlsx")
    assert load_workbook(book.to_excel(tmp_path / "en.xlsx", lang="en")).sheetnames[0] == "Monthly account"


# -- mass is conserved, whatever is done
YARDS = ("A", "B", "C")
DAYS = [date(2024, 1, 28) + timedelta(days=2 * n) for n in range(40)]
step = st.tuples(
    st.sampled_from(["received", "received", "transferred", "used", "returned_in", "returned_out", "disposed", "sold",
                     "up", "down", "reverse"]),
    st.sampled_from(range(len(DAYS))), st.integers(1, 30_000_000), st.sampled_from([None, 0.0, 12.5, 30.1, 99.99]),
    st.sampled_from(YARDS), st.sampled_from(YARDS), st.integers(0, 99),
)  # fmt: skip


class Twin:
    """The slow, obvious account: a list of signed legs, summed anew for every day."""

    def __init__(self) -> None:
        self.legs: list[tuple[date, str, int, Fraction | None]] = []
        self.done: list[tuple[str, list[tuple[date, str, int, Fraction | None]]]] = []

    def fits(self, legs: list[tuple[date, str, int, Fraction | None]]) -> bool:
        return all(
            sum(g for d, p, g, _ in self.legs + legs if p == place and d <= day) >= 0
            for place in (*YARDS, "in use")
            for day in DAYS
        )

    def stock(self, place: str, day: date = DAYS[-1]) -> int:
        return sum(g for d, p, g, _ in self.legs if p == place and d <= day)


def twin_legs(kind: str, day: date, grams: int, moisture: float | None, a: str, b: str) -> list[Any]:
    dry = None if moisture is None else Fraction(round(grams * (100 - Fraction(str(moisture))) / 100))
    out = {"received": [(a, 1)], "transferred": [(a, -1), (b, 1)], "used": [(a, -1), ("in use", 1)],
           "returned_in": [(a, 1), ("in use", -1)], "returned_out": [(a, -1)], "disposed": [(a, -1)],
           "sold": [(a, -1)], "up": [(a, 1)], "down": [(a, -1)]}[kind]  # fmt: skip
    return [(day, place, sign * grams, None if dry is None else sign * dry) for place, sign in out]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Any:
    lab = open_lab(tmp_path_factory.mktemp("account") / "lab", create=True, curves="blob", user="tester")
    for yard in YARDS:
        lab.ledger.add_yard(yard)
    yield lab, iter(range(10**6))
    lab.close()


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(step, min_size=4, max_size=14))
def test_mass_is_conserved_and_the_checks_agree_with_the_slow_twin(shared: Any, steps: list[Any]) -> None:
    lab, numbers = shared
    book, code = lab.ledger, f"P-{next(numbers)}"
    book.add_batch(code, "fly_ash", DAYS[0], yard="A")
    twin = Twin()
    for kind, day_number, grams, moisture, a, b, pick in steps:
        day = DAYS[day_number]
        if kind == "reverse":
            if not twin.done:
                continue
            uid, legs = twin.done.pop(pick % len(twin.done))
            legs = [(d, p, -g, None if dry is None else -dry) for d, p, g, dry in legs]

            def act(uid: str = uid) -> str:
                return book.reverse(uid, "test")
        else:
            if kind == "transferred" and a == b:
                continue
            legs = twin_legs(kind, day, grams, moisture, a, b)
            name = {"returned_in": "returned", "returned_out": "returned", "up": "adjusted", "down": "adjusted"}
            where = {"yard_to": a} if kind in ("received", "returned_in", "up") else {"yard_from": a}
            where |= {"yard_to": b} if kind == "transferred" else {}

            def act(kind: str = kind, where: Any = where, day: date = day, name: Any = name) -> str:
                return book.move(
                    name.get(kind, kind), code, grams / 1e6, day, moisture=moisture, reason="test", **where  # noqa: B023
                )  # fmt: skip

        if twin.fits(legs):
            uid_new = act()
            twin.legs += legs
            if kind != "reverse":
                twin.done.append((uid_new, legs))
        else:
            with pytest.raises(LabError, match=r"cannot leave|would be missing|come back from use"):
                act()
            if kind == "reverse":
                twin.done.append((uid, [(d, p, -g, None if x is None else -x) for d, p, g, x in legs]))
    table = book.balance(by=["batch", "yard"])
    table = table[table["batch"] == code].set_index("yard")
    for yard in YARDS:
        legs = [leg for leg in twin.legs if leg[1] == yard]
        if not legs:
            assert yard not in table.index
            continue
        assert table.loc[yard, "stock_wet_t"] == twin.stock(yard) / 1e6
        assert table.loc[yard, "in_wet_t"] - table.loc[yard, "out_wet_t"] == pytest.approx(twin.stock(yard) / 1e6)
        dry = table.loc[yard, "stock_dry_t"]
        if table.loc[yard, "without_moisture"] == 0:
            assert dry == float(sum((x or 0 for *_, x in legs), Fraction(0)) / 10**6)
        else:
            assert dry != dry
    months = book.monthly(by=["batch", "yard"])
    for yard, rows in months[months["batch"] == code].groupby("yard"):
        assert rows["closing_wet_t"].tolist()[:-1] == rows["opening_wet_t"].tolist()[1:]
        assert rows["closing_wet_t"].iloc[-1] == twin.stock(str(yard)) / 1e6
        for row in rows.itertuples():
            into = row.received_wet_t + row.returned_wet_t + row.transferred_in_wet_t + row.adjusted_up_wet_t
            out = (row.used_wet_t + row.sold_wet_t + row.disposed_wet_t + row.sent_back_wet_t
                   + row.transferred_out_wet_t + row.adjusted_down_wet_t)  # fmt: skip
            assert row.opening_wet_t + into - out == pytest.approx(row.closing_wet_t, abs=1e-9)


def test_the_migrations_make_what_the_schema_says(tmp_path: Path) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from wastelab.lab.engine import sqlite_engine
    from wastelab.lab.migrate import known_versions, upgrade, version

    engine = sqlite_engine(tmp_path / "c.sqlite", create=True)
    upgrade(engine, "0001")
    assert upgrade(engine) == "0001" and known_versions()[-1] == s.HEAD
    with engine.connect() as conn:
        assert version(conn) == s.HEAD
        assert compare_metadata(MigrationContext.configure(conn, opts={"compare_type": True}), s.metadata) == []
    engine.dispose()


# -- command line
def run(lab: Path, *args: str) -> tuple[int, str]:
    from wastelab.cli.ledger import ledger

    result = CliRunner().invoke(ledger, [*args, "--lab", str(lab), "--user", "tester"], standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return (result.return_value or 0), result.stdout


def test_the_account_from_the_command_line(tmp_path: Path) -> None:
    root = tmp_path / "lab"
    open_lab(root, create=True).close()
    run(root, "yard", "N1", "kind=shed", "capacity_t=500 t")
    run(root, "yard", "S2", "kind=silo")
    run(root, "batch", "B-1", "赤泥", "2022-03-02", "--yard", "N1", "--mass", "32.4 t", "--moisture", "30 %")
    run(root, "receive", "B-1", "1 t", "2022-03-03", "--moisture", "30 %")
    run(root, "transfer", "B-1", "10 t", "2022-03-05", "--to", "S2", "--moisture", "30 %")
    _, out = run(root, "use", "B-1", "5 t", "2024-04-05", "--from", "S2", "--product", "clinker", "--json")
    uid = json.loads(out)["uid"]
    run(root, "return", "B-1", "1 t", "2024-04-06", "--to", "S2")
    run(root, "dispose", "B-1", "1 t", "2024-04-07")
    run(root, "sell", "B-1", "1 t", "2024-04-08", "--counterparty", "Brick works")
    run(root, "adjust", "B-1", "0.4 t", "2024-04-09", "--from", "N1", "--moisture", "100 %", "--reason", "dried")
    with pytest.raises(LabError, match="come back from use"):
        run(root, "reverse", uid, "--reason", "wrong")  # some of it came back already
    _, out = run(root, "stocktake", "N1", "21 t", "2024-04-10", "--lang", "en")
    assert out.strip() == "N1: measured 21 t, book 21 t, error +0 t (+0.00 %)."
    _, out = run(root, "balance", "--json")
    assert {r["yard"]: r["stock_wet_t"] for r in json.loads(out)["balance"]} == {"N1": 21.0, "S2": 6.0}
    _, out = run(root, "entries", "--kind", "sold", "--json")
    assert [r["counterparty"] for r in json.loads(out)["entries"]] == ["Brick works"]
    code, out = run(root, "storage", "--at", "2026-01-01", "--lang", "zh")
    assert code == 1 and "凭记忆" in out
    code, out = run(root, "storage", "--at", "2024-05-01", "--json")
    assert code == 0 and {r["evidence"] for r in json.loads(out)["storage"]} == {"memory"}
    _, out = run(root, "trace", "B-1", "--direction", "forward", "--json")
    assert "clinker" in {r["code"] for r in json.loads(out)["trace"]}
    _, out = run(root, "export", str(tmp_path / "a.xlsx"), "--json")
    assert Path(json.loads(out)["files"][0]).is_file()
    _, out = run(root, "export", str(tmp_path / "csv"))
    assert len(out.split()) == 5


def test_every_command_shows_an_example() -> None:
    from wastelab.cli.ledger import ledger

    assert sorted(ledger.commands) == [
        "adjust", "balance", "batch", "dispose", "entries", "export", "link", "receive", "return", "reverse", "sell",
        "stocktake", "storage", "trace", "transfer", "use", "yard",
    ]  # fmt: skip
    for name, command in ledger.commands.items():
        assert "Example:" in (command.help or ""), name

"""Each kind of document, made by the tools that people make it with, is read as what it says."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime, time
from decimal import Decimal

import pytest

from strata_git.pipeline.documents.blob import blob_of_bytes
from strata_git.pipeline.documents.document import Document
from strata_git.pipeline.documents.limits import Limits
from strata_git.pipeline.documents.load import load
from strata_git.pipeline.documents.loaders.csv import dialect, names_columns
from strata_git.pipeline.documents.loaders.xlsx_parts import is_date_format, moment
from strata_git.pipeline.documents.refusal import Refused
from tests.support import broken_corpus as made


def read(data: bytes | str, name: str, **how: object) -> Document:
    return load(blob_of_bytes(data.encode() if isinstance(data, str) else data, name), **how)  # type: ignore[arg-type]


# --- tables as text


@pytest.mark.parametrize(
    ("sample", "sign"),
    [("a,b\n1,2\n", ","), ("a;b\n1,5;2\n3,5;4\n", ";"), ("a\tb\n1\t2\n", "\t"), ("a|b\n1|2\n", "|"), ("a\nb\n", ",")],
)
def test_the_sign_between_values_is_found(sample: str, sign: str) -> None:
    assert dialect(sample) == sign


def test_a_csv_is_a_table() -> None:
    document = read('name;note\nAnna;"two\nlines; and | bars"\nBert;\n', "a.csv")
    assert document.text == "| name | note |\n| --- | --- |\n| Anna | two<br>lines; and \\| bars |\n| Bert |  |\n"
    assert document.metadata["delimiter"] == ";"
    assert (document.metadata["rows"], document.metadata["columns"]) == (2, 2)


def test_columns_without_names_are_numbered() -> None:
    document = read("1,2\n3,4,5\n", "a.csv")
    assert document.text.startswith("| column 1 | column 2 | column 3 |\n")
    assert document.notes == (
        "its first row does not name columns: they are numbered", "1 rows have more or fewer values than 3"
    ) or "1 rows" in document.notes[1]  # fmt: skip
    assert names_columns(["a", "b"])
    assert not names_columns(["a", "a"])


# --- workbooks


def workbook() -> bytes:
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "First | one"
    sheet.append(["name", "when", "day", "at", "yes", "number", "gone"])
    sheet.append(["a|b\nc", datetime(2026, 1, 31, 10, 30), date(2026, 2, 1), time(6, 30), True, 1.5, None])  # noqa: DTZ001
    sheet.append(["=1+1", None, None, None, False, 12345678901, "x"])
    sheet["B3"].number_format = "0.00%"
    sheet.merge_cells("A5:C5")
    sheet["A5"] = "merged"
    other = book.create_sheet("Second")
    other["C3"] = "only"
    other.sheet_state = "hidden"
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def test_a_workbook_loses_nothing() -> None:
    document = read(workbook(), "a.xlsx")
    assert document.text == (
        "## First | one\n\n"
        "| name | when | day | at | yes | number | gone |\n| --- | --- | --- | --- | --- | --- | --- |\n"
        "| a\\|b<br>c | 2026-01-31T10:30:00 | 2026-02-01 | 06:30:00 | true | 1.5 |  |\n"
        "| =1+1 |  |  |  | false | 12345678901 | x |\n"
        "|  |  |  |  |  |  |  |\n| merged |  |  |  |  |  |  |\n\n"
        "## Second (hidden)\n\n| only |\n| --- |\n"
    )
    assert document.metadata["sheets"] == [
        {"title": "First | one", "rows": 5, "columns": 7, "hidden": False, "merged": ["A5:C5"], "formulas": 1},
        {"title": "Second", "rows": 1, "columns": 1, "hidden": True},
    ]
    said = " ".join(document.notes)
    assert "merged ranges" in said
    assert "'Second' is hidden" in said
    assert "formulas without a value" in said


def test_a_formula_shows_the_value_it_had() -> None:
    rows = '<row r="1"><c r="A1" t="str"><f>A2&amp;"x"</f><v>shown</v></c><c r="B1"><f>SUM(A1)</f></c></row>'
    assert read(made.workbook(rows), "a.xlsx").text.splitlines()[2] == "| shown | =SUM(A1) |"


def test_cells_without_places_and_odd_texts() -> None:
    rows = '<row><c t="inlineStr"><is><r><t>rich </t></r><r><t>text</t></r></is></c><c t="e"><v>#DIV/0!</v></c></row>'
    assert "| rich text | #DIV/0! |" in read(made.workbook(rows), "a.xlsx").text
    texts = f'<sst xmlns="{made.XLSX}"><si><t>a_x000D_b</t><rPh><t>no</t></rPh></si></sst>'.encode()
    assert "a<br>b" in read(made.workbook('<row r="1"><c r="A1" t="s"><v>0</v></c></row>', texts=texts), "a.xlsx").text


@pytest.mark.parametrize(
    ("serial", "since_1904", "text"),
    [
        (1.0, False, "1900-01-01"), (59.0, False, "1900-02-28"), (61.0, False, "1900-03-01"),
        (46053.4375, False, "2026-01-31T10:30:00"), (0.25, False, "06:00:00"), (0.0, True, "1904-01-01"),
        (-1.0, False, ""), (1e9, False, ""),
    ],
)  # fmt: skip
def test_day_numbers_are_moments(serial: float, since_1904: bool, text: str) -> None:
    assert moment(serial, since_1904) == text


@pytest.mark.parametrize(
    ("code", "dates"),
    [("yyyy-mm-dd", True), ("[h]:mm", True), ('0.0" days"', False), ("General", False), ("[Red]0.00", False),
     ("d.m.", True), ("#,##0.00", False), ('"Q"0', False), ("mmm yy", True)],
)  # fmt: skip
def test_number_formats_of_dates_are_known(code: str, dates: bool) -> None:
    assert is_date_format(code) is dates


# --- parquet


def test_parquet_keeps_its_types() -> None:
    import pyarrow as pa
    from pyarrow.parquet import write_table

    out = io.BytesIO()
    table = pa.table({
        "n": pa.array([1, None]), "x": pa.array([0.5, 2.0]), "t": ["a|b", None], "d": [date(2026, 1, 2), None],
        "s": pa.array([datetime(2026, 1, 2, 3, tzinfo=UTC), None], pa.timestamp("ns", "UTC")),
        "m": pa.array([Decimal("1.50"), None]), "l": [[1, 2], None], "b": [b"\x01", None],
    })  # fmt: skip
    write_table(table, out)
    document = read(out.getvalue(), "a.parquet")
    assert document.text.splitlines()[2:] == [
        "| 1 | 0.5 | a\\|b | 2026-01-02 | 2026-01-02T03:00:00 | 1.50 | [1, 2] | 01 |",
        "|  | 2 |  |  |  |  |  |  |",
    ]
    assert document.metadata["schema"]["m"] == "decimal128(3, 2)"  # type: ignore[index]
    with pytest.raises(Refused, match="cells"):
        read(out.getvalue(), "a.parquet", limits=Limits(cells=3))


# --- pages

PAGE = """<!doctype html><html><head><title>The  page</title><script>no()</script></head><body>
<h1>Top <em>thing</em></h1><p>Hello <b>bold </b>and <a href="http://x.y/z">a link</a>.<br>second</p>
<ul><li>one<li>two <ul><li>inner</ul><li><p>three</p><p>more</p></ul><p>after</p><ol start=3><li>c<li>d</ol>
<blockquote><p>quoted</p></blockquote><pre class="language-python">def f():
    return "```"
</pre><table><tr><th>a<th>b|c<tr><td rowspan=2>1<td>x<br>y<tr><td>z<tr><td colspan=2>wide</table>
<p>code <code>a</code> &amp; &euro; <img src="a.png" alt="pic"></p><style>p{}</style></body></html>"""
READ = """# Top *thing*

Hello **bold** and [a link](http://x.y/z).\x20\x20
second

- one
- two
  - inner
- three

  more

after

3. c
4. d

> quoted

````python
def f():
    return "```"
````

| a | b\\|c |
| --- | --- |
| 1 | x<br>y |
|  | z |
| wide |  |

code `a` & € ![pic](a.png)
"""


def test_a_page_becomes_markdown() -> None:
    document = read(PAGE, "a.html")
    assert document.text == READ
    assert document.metadata["title"] == "The page"


def test_tables_for_layout_and_within_tables() -> None:
    layout = "<html><table><tr><td><p>one</p><p>two</p></td></tr></table>"
    assert read(layout, "a.html").text == "one\n\ntwo\n"
    nested = "<html><table><tr><td>a<td><table><tr><td>x<td>y<tr><td>z</table><tr><td>b<td>c</table>"
    assert "| a | x, y<br>z |" in read(nested, "a.html").text


# --- office


def test_a_pdf_is_its_text() -> None:
    document = read(made.pdf(text="Hello page"), "a.pdf")
    assert (document.text, document.metadata["pages"]) == ("Hello page\n", 1)


def test_a_word_document_is_markdown() -> None:
    assert read(made.word("Grüße"), "a.docx").text == "Grüße\n"


def test_slides_are_sections() -> None:
    import pptx

    deck = pptx.Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[1])
    slide.shapes.title.text = "First"
    slide.placeholders[1].text = "point"
    shape = slide.shapes.add_table(2, 2, 0, 0, 100, 100)
    for place, text in enumerate(("a", "b|", "1", "2")):
        shape.table.cell(place // 2, place % 2).text = text
    slide.notes_slide.notes_text_frame.text = "say this"
    out = io.BytesIO()
    deck.save(out)
    assert read(out.getvalue(), "a.pptx").text == (
        "## Slide 1: First\n\npoint\n\n| a | b\\| |\n| --- | --- |\n| 1 | 2 |\n\nNotes: say this\n"
    )


# --- pictures


def test_a_picture_without_an_engine_is_a_document_with_a_note() -> None:
    document = read(made.png(6, 4), "a.png")
    assert (document.text, document.type, document.metadata["width"]) == ("", "png", 6)
    assert "no engine" in document.notes[0]


def test_an_engine_is_handed_png_whatever_the_picture_was() -> None:
    seen: list[bytes] = []

    def engine(picture: bytes) -> str:
        seen.append(picture)
        return "text in it"

    assert read(made.jpeg(), "a.jpg", read_text=engine).text == "text in it\n"
    assert seen[0].startswith(b"\x89PNG")


def test_what_is_too_large_is_refused_before_it_is_read() -> None:
    with pytest.raises(Refused, match="more than 10") as refused:
        read(b"x" * 11, "a.txt", limits=Limits(bytes=10))
    assert (refused.value.why, refused.value.kind, refused.value.retryable) == ("too_large", "invalid", False)


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(Refused, match=r"git-strata\[office\]"):
        read(made.pdf(), "a.pdf")

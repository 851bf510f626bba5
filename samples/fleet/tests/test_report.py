"""The questions by DuckDB over rows that are made up, and the page; without Spark and the program."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("duckdb")

from ptdump_lint.fleet.__main__ import main  # noqa: E402
from ptdump_lint.fleet.ask import QUESTIONS, Table, ask_duckdb  # noqa: E402
from ptdump_lint.fleet.page import to_html, to_markdown  # noqa: E402
from ptdump_lint.fleet.schema import ROW, fit  # noqa: E402


def finding(cause: str, mark: str, **rest: Any) -> dict[str, Any]:
    return {
        "rule": "PT001", "name": "writable-executable", "severity": "error",
        "message": "bad <b>page</b>", "help": "h", "evidence": [], "area": "direct map",
        "fingerprint": mark, "cause_key": cause, "known": False, **rest}


def rows() -> list[dict[str, Any]]:
    def row(path: str, release: str | None, outcome: str, day: str, **rest: Any) -> dict[str, Any]:
        return fit({
            "path": path, "length": 1, "mtime": 1, "machine": path[0], "metadata": {},
            "tool": "0.1.0", "outcome": outcome, "attempt": 0, "day": day, "release": release,
            "complete": outcome in ("clean", "findings"), "facts": {}, "findings": [],
            "skipped": [], "self_tests": [], "faults": [], "direct_map": [], "splits": [],
            "mapped": [], "other": [], **rest}, ROW)

    return [
        row("a1", "6.1", "clean", "2026-01-01", direct_map=[
            {"page_size": 4096, "count": 512}, {"page_size": 2 << 20, "count": 3}]),
        row("a2", "6.1", "findings", "2026-01-02", findings=[finding("c1", "f1")]),
        row("b1", "6.2", "findings", "2026-01-03", findings=[
            finding("c2", "f2"), finding("c2", "f3"), finding("c3", "f4", severity="note"),
            finding("c4", "f5", known=True)]),
        # Judged again after a failure: counts once.
        row("b1", "6.2", "findings", "2026-01-03", attempt=1, findings=[
            finding("c2", "f2"), finding("c2", "f3")]),
        row("b2", "6.2", "partial", "2026-01-03", self_tests=[
            {"test_bit": "global", "result": "failed", "verdict": "false-alarm", "failures": 3,
             "causes": []}]),
        row("c1", None, "unreadable", "2026-01-04", reason="cannot open", cause="input"),
        row("c2", "6.2", "timeout", "2026-01-04", faults=[
            {"kind": "page-fault", "cause": "not-present", "area": "vmalloc", "line": 1}]),
    ]


@pytest.fixture
def answers(tmp_path: Path) -> dict[str, Table]:
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows()))
    return ask_duckdb(str(tmp_path / "*.jsonl"), json_lines=True)


def test_the_eight_questions(answers: dict[str, Table]) -> None:
    def columns(name: str, *wanted: str) -> list[tuple[Any, ...]]:
        table = answers[name]
        places = [table.columns.index(column) for column in wanted]
        return [tuple(row[place] for place in places) for row in table.rows]

    assert len(QUESTIONS) == 8
    assert columns("top_causes", "cause", "inputs", "findings", "fingerprints") == [
        ("c2", 1, 2, 2), ("c1", 1, 1, 1)]
    assert columns("first_seen", "cause", "first_day", "first_release") == [
        ("c2", "2026-01-03", "6.2"), ("c1", "2026-01-02", "6.1")]
    assert answers["by_release"].rows == (
        ("6.1", 2, 1, 1, 0, 0, 1), ("6.2", 3, 0, 1, 1, 1, 1), ("unknown", 1, 0, 0, 0, 1, 0))
    assert columns("regressions", "change", "old_release", "new_release", "cause") == [
        ("new", "6.1", "6.2", "c2"), ("gone", "6.1", "6.2", "c1")]
    assert columns("not_read", "outcome", "inputs", "why") == [
        ("partial", 1, ""), ("timeout", 1, ""), ("unreadable", 1, "cannot open")]
    assert answers["self_test_verdicts"].rows == (("6.2", "global", "false-alarm", 1, 1, 3),)
    assert answers["faults_by_cause"].rows == (("page-fault", "not-present", "vmalloc", 1, 1),)
    assert answers["direct_map"].rows == (("a", "2026-01-01", 1, 512, 3, 0, 25.0),)


class Reader(HTMLParser):
    """What a page is made of."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("src", "href"):
                self.links.append(value or "")


def test_the_page_is_one_file_and_obeys_no_input(answers: dict[str, Table]) -> None:
    page = to_html(answers, "A <fleet>")
    reader = Reader()
    reader.feed(page)
    assert reader.ids == list(QUESTIONS) and not reader.links
    assert not {"script", "b", "img", "link"} & set(reader.tags)
    assert "bad &lt;b&gt;page&lt;/b&gt;" in page and "A &lt;fleet&gt;" in page
    # A bar of inputs and one of findings for each of four days.
    assert reader.tags.count("rect") == 8
    text = to_markdown(answers)
    assert "bad \\<b\\>page\\</b\\>" in text and "6 inputs, 2 with findings" in text


def test_the_command_writes_both(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows()))
    page, text = tmp_path / "page.html", tmp_path / "page.md"
    assert main([
        "report", str(tmp_path / "*.jsonl"), "--json-lines", "--html", str(page), "--markdown",
        str(text), "--old", "6.2", "--new", "6.1"]) == 0
    assert "<h2>Top causes</h2>" in page.read_text()
    assert "| gone | 6.2 | 6.1 | c2 |" in text.read_text()

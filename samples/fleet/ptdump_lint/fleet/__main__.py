"""The fleet's commands: python3 -m ptdump_lint.fleet manifest | map | batch | stream | report."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

from ..program import Failure, Limits, find_program
from .manifest import entries
from .mapper import Mapper, shard
from .schema import complete


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except (Failure, OSError, ValueError) as error:
        print(f"ptdump_lint.fleet: {error}", file=sys.stderr)
        return 2


def _mapper(options: argparse.Namespace) -> Mapper:
    memory = None if options.memory is None else options.memory << 20
    return Mapper.of(
        find_program(options.program), limits=Limits(seconds=options.seconds, memory=memory),
        options=tuple(options.option), folder=options.temporary)


def _manifest(options: argparse.Namespace) -> int:
    paths = options.paths or [line.rstrip("\n") for line in sys.stdin if line.strip()]
    for entry in entries(paths, options.machine):
        print(entry.line())
    return 0


def _map(options: argparse.Namespace) -> int:
    """One shard of a manifest into JSON lines: written beside, and renamed when it is whole."""
    mapper = _mapper(options)
    with open(options.manifest, encoding="utf-8", errors="replace") as file:
        lines = [line.rstrip("\n") for line in file if line.strip()]
    wanted = shard(lines, options.shard, options.of)
    part = f"{options.output}.{os.getpid()}.part"
    with open(part, "w", encoding="utf-8") as output:
        for line in wanted:
            print(json.dumps(complete(mapper.line(line))), file=output)
        output.flush()
        os.fsync(output.fileno())
    os.rename(part, options.output)
    print(f"{len(wanted)} of {len(lines)} lines: {options.output}", file=sys.stderr)
    return 0


def _session(options: argparse.Namespace) -> Any:
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.appName("ptdump-lint")
    # The Python that has this package; on a cluster the image's own is named outside.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    if options.master:
        builder = builder.master(options.master)
    return (
        builder.config("spark.ui.showConsoleProgress", "false")
        .config("spark.sql.execution.arrow.maxRecordsPerBatch", "64").getOrCreate())


def _batch(options: argparse.Namespace) -> int:
    from .job import reconcile, run_batch

    spark, mapper = _session(options), _mapper(options)
    run_batch(spark, options.manifest, options.output, mapper, options.name, options.task)
    # Other batches may lie beside it: this run's alone is held against its manifest.
    counts = reconcile(spark, options.manifest, options.output, options.name)
    print(counts)
    spark.stop()
    return 0 if counts.agree else 1


def _stream(options: argparse.Namespace) -> int:
    from .job import reconcile, run_stream

    spark, mapper = _session(options), _mapper(options)
    run_stream(
        spark, options.manifests, options.output, options.checkpoint, mapper, files=options.files,
        forever=options.forever, task=options.task)
    counts = reconcile(spark, options.manifests, options.output)
    print(counts)
    spark.stop()
    return 0 if counts.agree else 1


def _report(options: argparse.Namespace) -> int:
    from .ask import ask_duckdb
    from .page import to_html, to_markdown

    releases = (options.old, options.new) if options.old and options.new else None
    answers = ask_duckdb(options.output, releases, options.json_lines)
    for path, text in ((options.html, to_html), (options.markdown, to_markdown)):
        if path:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text(answers, options.title))
    if not options.html and not options.markdown:
        sys.stdout.write(to_markdown(answers, options.title))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ptdump_lint.fleet", description=__doc__)
    commands = parser.add_subparsers(required=True)

    def command(name: str, run: Any, what: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=what, description=what)
        made.set_defaults(run=run)
        return made

    def judging(made: argparse.ArgumentParser) -> None:
        made.add_argument("--program", help="ptdump-lint's path; PTDUMP_LINT or PATH otherwise")
        made.add_argument("--seconds", type=float, default=600, help="the time of one input")
        made.add_argument("--memory", type=int, help="MiB of one input, beyond its own size")
        made.add_argument("--temporary", help="a folder for temporary files")
        made.add_argument("--option", action="append", default=[], help="a further option of check")

    def spark(made: argparse.ArgumentParser) -> None:
        judging(made)
        made.add_argument("--master", help="Spark's master; spark-submit gives it otherwise")
        made.add_argument("--task", type=int, default=16, help="inputs a task")

    made = command("manifest", _manifest, "Write a manifest of files as they are now.")
    made.add_argument("paths", nargs="*", help="files; standard input names them, one a line, otherwise")
    made.add_argument("--machine")
    made = command("map", _map, "Judge one shard of a manifest into JSON lines, without Spark.")
    judging(made)
    made.add_argument("manifest")
    made.add_argument("output")
    made.add_argument("--shard", type=int, default=0, help="its number, from 0")
    made.add_argument("--of", type=int, default=1, help="how many shards there are")
    made = command("batch", _batch, "Judge a manifest on Spark into OUTPUT/batch=NAME.")
    spark(made)
    made.add_argument("manifest")
    made.add_argument("output")
    made.add_argument("--name", default=time.strftime("%Y-%m-%d", time.gmtime()))
    made = command("stream", _stream, "Judge manifests as they come into a folder, on Spark.")
    spark(made)
    made.add_argument("manifests")
    made.add_argument("output")
    made.add_argument("checkpoint")
    made.add_argument("--files", type=int, default=1, help="manifests a batch")
    made.add_argument("--forever", action="store_true", help="wait for more")
    made = command("report", _report, "Answer the questions: an HTML page and Markdown.")
    made.add_argument("output", help="the folder of batch=*, or a pattern with --json-lines")
    made.add_argument("--json-lines", action="store_true", help="OUTPUT names files of map")
    made.add_argument("--old", help="a release, for what changed since")
    made.add_argument("--new", help="the release to hold against it")
    made.add_argument("--html", help="where the page goes")
    made.add_argument("--markdown", help="where the Markdown goes")
    made.add_argument("--title", default="A fleet's page tables")
    return parser


if __name__ == "__main__":
    sys.exit(main())

"""The fleet's commands: python3 -m ptdump_lint.fleet COMMAND."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from ..program import Failure, Limits, wanted_program
from .job import TASK
from .manifest import entries, read
from .mapper import Mapper, shard


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except (Failure, OSError, ValueError) as error:
        print(f"ptdump_lint.fleet: {error}", file=sys.stderr)
    except ModuleNotFoundError as error:
        print(f"ptdump_lint.fleet: {error}: pip install './samples/fleet[fleet]'", file=sys.stderr)
    return 2


def _mapper(options: argparse.Namespace) -> Mapper:
    return Mapper.of(
        options.program, limits=_limits(options), options=tuple(options.option),
        folder=options.temporary)


def _limits(options: argparse.Namespace) -> Limits:
    memory = None if options.memory is None else options.memory << 20
    return Limits(seconds=options.seconds, memory=memory)


def _manifest(options: argparse.Namespace) -> int:
    end = b"\0" if options.null else b"\n"
    paths = options.paths or map(os.fsdecode, filter(None, sys.stdin.buffer.read().split(end)))
    # Tasks on a cluster have folders of their own.
    for entry in entries(map(os.path.abspath, paths), options.machine):
        print(entry.line())
    return 0


def _map(options: argparse.Namespace) -> int:
    """One shard of a manifest into JSON lines: written beside, and renamed when it is whole."""
    mapper = _mapper(options).here()
    lines = read(options.manifest)
    wanted = shard(lines, options.shard, options.of)
    os.makedirs(os.path.dirname(options.output) or ".", exist_ok=True)
    # Nodes share the folder, and process numbers are each node's own.
    part = f"{options.output}.{os.uname().nodename}.{os.getpid()}.part"
    with open(part, "w", encoding="utf-8") as output:
        for line in wanted:
            print(json.dumps(mapper.line(line)), file=output)
        output.flush()
        os.fsync(output.fileno())
    os.rename(part, options.output)
    print(f"{len(wanted)} of {len(lines)} lines: {options.output}", file=sys.stderr)
    return 0


@contextlib.contextmanager
def _session(options: argparse.Namespace) -> Iterator[Any]:
    """Spark, which ends with the command; what it says against the command's words is a Failure."""
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.appName("ptdump-lint")
    # The Python that has this package; on a cluster the image's own is named outside.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    if options.master:
        builder = builder.master(options.master)
    builder.config("spark.ui.showConsoleProgress", "false")
    builder.config("spark.sql.execution.arrow.maxRecordsPerBatch", "64")
    try:
        spark = builder.getOrCreate()
        try:
            yield spark
        finally:
            spark.stop()
    except PySparkException as error:
        raise Failure(str(error)) from error


def _batch(options: argparse.Namespace) -> int:
    from .job import run_batch

    mapper = _mapper(options)
    with _session(options) as spark:
        run_batch(spark, options.manifest, options.output, mapper, options.name, options.task)
        # Other batches may lie beside it: this run's alone is held against its manifest.
        return _counted(spark, options.manifest, options.output, options.name)


def _stream(options: argparse.Namespace) -> int:
    from .job import run_stream

    mapper = _mapper(options)
    with _session(options) as spark:
        run_stream(
            spark, options.manifests, options.output, options.checkpoint, mapper,
            files=options.files, forever=options.forever, task=options.task)
        return _counted(spark, options.manifests, options.output)


def _count(options: argparse.Namespace) -> int:
    with _session(options) as spark:
        return _counted(spark, options.manifests, options.output)


def _counted(spark: Any, manifests: str, output: str, name: str = "*") -> int:
    from .job import reconcile

    counts = reconcile(spark, manifests, output, name)
    print(counts)
    return 0 if counts.agree else 1


def _dump(options: argparse.Namespace) -> int:
    """One image's mappings, by ranges of addresses."""
    from .job import run_dump
    from .mappings import Image

    image = Image(
        os.path.abspath(options.image), wanted_program(options.program),
        replace(_limits(options), output=1 << 30), tuple(options.option))
    with _session(options) as spark:
        run_dump(spark, image, options.output, options.name, options.parts)
    return 0


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


def _folder(name: str) -> str:
    """Where rows go; engines take a pattern where they come from."""
    if set(name) & set("*?[]{}\\"):
        raise argparse.ArgumentTypeError(f"{name}: a name without *?[]{{}}\\, please")
    return name


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
        made.add_argument("--option", action="append", default=[], help="a further option of it")

    def spark(made: argparse.ArgumentParser) -> None:
        made.add_argument("--master", help="Spark's master; spark-submit gives it otherwise")

    def tasks(made: argparse.ArgumentParser) -> None:
        judging(made)
        spark(made)
        made.add_argument("--task", type=int, default=TASK, help="inputs a task at most")

    def named(made: argparse.ArgumentParser) -> None:
        made.add_argument(
            "--name", default=time.strftime("%Y-%m-%d", time.gmtime()), help="today without it")

    made = command("manifest", _manifest, "Write a manifest of files as they are now.")
    made.add_argument("paths", nargs="*", help="files; standard input names them, one a line, otherwise")
    made.add_argument("-0", "--null", action="store_true", help="a zero byte ends a name, as in find -print0")
    made.add_argument("--machine", help="the machine of all of them")
    made = command("map", _map, "Judge one shard of a manifest into JSON lines, without Spark.")
    judging(made)
    made.add_argument("manifest")
    made.add_argument("output")
    made.add_argument("--shard", type=int, default=0, help="its number, from 0")
    made.add_argument("--of", type=int, default=1, help="how many shards there are")
    made = command("batch", _batch, "Judge a manifest on Spark into OUTPUT/batch=NAME.")
    tasks(made)
    named(made)
    made.add_argument("manifest")
    made.add_argument("output", type=_folder)
    made = command("stream", _stream, "Judge manifests as they come into a folder, on Spark.")
    tasks(made)
    made.add_argument("manifests")
    made.add_argument("output", type=_folder)
    made.add_argument("checkpoint")
    made.add_argument("--files", type=int, default=1, help="manifests a batch")
    made.add_argument("--forever", action="store_true", help="wait for more")
    made = command("count", _count, "Hold the rows of OUTPUT against manifests: 1 where they differ.")
    spark(made)
    made.add_argument("manifests", help="a file, or a folder of them")
    made.add_argument("output", type=_folder)
    made = command("dump", _dump, "List one image's mappings on Spark into OUTPUT/mappings=NAME.")
    judging(made)
    spark(made)
    named(made)
    made.add_argument("image")
    made.add_argument("output", type=_folder)
    made.add_argument("--parts", type=int, default=64, help="of the direct map, at most")
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

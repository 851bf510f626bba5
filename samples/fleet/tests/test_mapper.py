"""One input to one row, without Spark: every failure is a row, rightly labelled."""

from __future__ import annotations

import contextlib
import io
import json
import lzma
import os
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import sample
from corpus import make

from ptdump_lint.fleet.__main__ import main
from ptdump_lint.fleet.manifest import Entry, entries
from ptdump_lint.fleet.mapper import OUTCOMES, Mapper, shard
from ptdump_lint.fleet.schema import ROW
from ptdump_lint.program import Failure, Limits

#: What each kind of input comes to.
CHAOS = {
    "crash": "crashed", "hang": "timeout", "hog": "memory", "cut": "garbled", "noise": "garbled",
    "newer": "clean", "orphan": "clean", "fine": "clean"}


def chaos(folder: Path, count: int, kinds: dict[str, str] = CHAOS) -> list[str]:
    """Inputs whose names say how the program misbehaves."""
    healthy = Path(sample("healthy/kernel.txt")).read_bytes()
    names = list(kinds)
    for index in range(count):
        (folder / f"{names[index % len(names)]}-{index:03}").write_bytes(healthy)
    return [
        entry.line() for entry in entries(str(path) for path in sorted(folder.glob("*-???")))]


def mapper(program: str, **limits: Any) -> Mapper:
    return Mapper.of(program, limits=Limits(**{"seconds": 60.0, **limits})).here()


def row(program: str, path: str) -> dict[str, Any]:
    return mapper(program).entry(next(iter(entries([path], "here"))))


def test_findings_become_a_row(program: str) -> None:
    made = row(program, sample("cpa-2008/memory.elf"))
    assert made["outcome"] == "findings" and made["status"] == 1 and made["signal"] is None
    assert made["complete"] and made["architecture"] == "x86-64" and made["schema_version"] == 1
    finding = next(finding for finding in made["findings"] if finding["rule"] == "PT201")
    assert finding["cause_key"] != finding["fingerprint"]
    assert made["skipped"] and made["direct_map"] and made["mapped"]
    assert {page["page_size"] for page in made["direct_map"]} <= {4096, 2 << 20, 1 << 30}
    assert made["facts"]["release"] == made["release"]
    assert made["other"] == [] and made["peak_memory"] > 1 << 20 and made["cpu_seconds"] > 0
    assert set(made) <= set(ROW)


def test_logs_and_self_tests_become_rows(program: str) -> None:
    made = row(program, sample("faults/memory.elf"))
    assert made["faults"] and made["faults"][0]["kind"]
    assert row(program, sample("cpa-2008/memory.elf"))["self_tests"][0]["verdict"] == "false-alarm"


@pytest.mark.parametrize("kind", sorted(CHAOS))
def test_every_failure_is_a_row(misbehave: str, tmp_path: Path, kind: str) -> None:
    lines = chaos(tmp_path, 1, {kind: CHAOS[kind]})
    seconds = 1.0 if kind == "hang" else 60.0
    made = mapper(misbehave, seconds=seconds, memory=512 << 20).line(lines[0])
    assert made["outcome"] == CHAOS[kind], made
    if kind == "newer":
        assert made["schema_version"] == 2
        prophecy, finding, field = (json.loads(line) for line in made["other"])
        assert prophecy == {"prophecy": {"input": 0, "words": "later"}}
        # A known kind in another shape is kept, and does not end a job; so is a new field.
        assert finding["finding"]["rule"] == 1001
        assert field == {"input": {"mood": "good"}}
    if kind == "orphan":
        pid = int(next(tmp_path.glob("*.pid")).read_text())
        deadline = time.monotonic() + 5
        while os.path.exists(f"/proc/{pid}") and time.monotonic() < deadline:
            # It may wait for whoever reaps orphans.
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
            if state == "Z":
                break
            time.sleep(0.05)
        else:
            assert not os.path.exists(f"/proc/{pid}")


def test_what_cannot_be_read_says_why(program: str, tmp_path: Path) -> None:
    missing = mapper(program).entry(Entry(str(tmp_path / "missing")))
    assert (missing["outcome"], missing["cause"]) == ("unreadable", "input")
    assert "No such file" in missing["reason"] and missing["advice"]
    empty = tmp_path / "empty"
    empty.touch()
    assert row(program, str(empty))["outcome"] == "unreadable"


def test_a_limit_of_the_address_space_is_no_fault_of_the_input(program: str, tmp_path: Path) -> None:
    # A file of 8 GiB, of which nothing is on disk, and a limit that the program alone fits into.
    big = tmp_path / "big"
    with open(big, "wb") as file:
        file.write(Path(sample("healthy/memory.elf")).read_bytes())
        file.truncate(8 << 30)
    made = mapper(program, memory=(1 << 30) - (8 << 30)).entry(Entry(str(big)))
    assert (made["outcome"], made["cause"]) == ("memory", "memory")
    assert "says nothing of the input" in made["advice"]


def test_an_input_that_has_changed_is_not_judged(program: str) -> None:
    made = mapper(program).entry(Entry(sample("healthy/kernel.txt"), length=17))
    assert made["outcome"] == "unreadable" and "copied in part" in made["reason"]


def test_a_line_that_is_none_is_a_row(program: str) -> None:
    for line in ("nonsense", "[]", "{}", '{"path": 5}', '{"path": "x", "length": "y"}'):
        assert mapper(program).line(line)["outcome"] == "garbled"


def test_a_full_disk_is_no_fault_of_the_input(program: str, tmp_path: Path) -> None:
    # /dev/full stands for a disk that holds no more.
    full = tmp_path / "full"
    full.write_text(f"#!/bin/sh\n{program} \"$@\" > /dev/full\n")
    full.chmod(0o755)
    judged = Mapper(program=str(full), tool="1").entry(Entry(sample("healthy/kernel.txt")))
    assert (judged["outcome"], judged["cause"]) == ("unreadable", "disk"), judged
    nowhere = Mapper(program=program, tool="1", folder=str(tmp_path / "none"))
    assert nowhere.entry(Entry(sample("healthy/kernel.txt")))["cause"] == "mapper"


def test_output_without_end_is_a_row(program: str) -> None:
    made = mapper(program, output=4096).entry(Entry(sample("cpa-2008/memory.elf")))
    assert (made["outcome"], made["cause"]) == ("garbled", "output"), made


def test_options_that_are_none_are_refused_at_once(program: str) -> None:
    with pytest.raises(Failure, match="--nonsense"):
        Mapper.of(program, options=("--nonsense",))


def test_what_each_architecture_and_a_log_alone_tell(program: str, tmp_path: Path) -> None:
    def made(name: str) -> dict[str, Any]:
        image = tmp_path / "image"
        image.write_bytes(lzma.decompress(Path(sample(name)).read_bytes()))
        return row(program, str(image))

    guest = made("xen/domu/memory.elf.xz")
    assert guest["facts"]["domain"] == "domU (PV)"
    assert guest["facts"]["hypervisor"].startswith("Xen")
    arm = made("arm64/4k39/memory.elf.xz")
    assert (arm["architecture"], arm["paging_mode"]) == ("arm64", "arm64 4K 39-bit")
    old = made("configurations/two-level/memory.elf.xz")
    assert (old["architecture"], old["paging_mode"]) == ("i386", "i386 2-level")
    for image in (guest, arm, old):
        assert image["release"] and image["direct_map"] and image["protected"]
        assert image["complete"] and image["tables"] == ["kernel"] and not image["other"]
    twins = row(program, sample("healthy-pti/memory.elf"))
    assert twins["tables"] == ["kernel", "user"]
    log = row(program, sample("logs/68-lkft-null-deref-full-dmesg.txt"))
    assert log["format"] == "log" and log["tables"] == log["direct_map"] == log["other"] == []
    assert "Attempted to kill init" in log["facts"]["panic"]
    assert [fault["judged_by"] for fault in log["faults"]] == ["report", "report"]


def test_the_manifest_keeps_what_the_collector_says() -> None:
    line = '{"path": "a\\nb", "length": 5, "mtime": 1, "machine": "m", "site": "x", "rack": 7}'
    entry = Entry.parse(line)
    assert entry.metadata == {"site": "x", "rack": "7"}
    assert Entry.parse(entry.line()) == entry and "\n" not in entry.line()


def test_names_of_any_kind_become_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [b"a space", b"a\nline", b"no \xff UTF-8"]
    for name in names:
        (tmp_path / os.fsdecode(name)).write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    written = io.StringIO()
    with contextlib.redirect_stdout(written):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\0".join(names) + b"\0")))
        assert main(["manifest", "-0", "--machine", "m"]) == 0
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a space\n\n")))
        assert main(["manifest"]) == 0
        assert main(["manifest", "a space"]) == 0
    lines = written.getvalue().splitlines()
    assert [os.fsencode(Entry.parse(line).path) for line in lines] == [
        os.path.join(os.fsencode(tmp_path), name) for name in [*names, b"a space", b"a space"]]
    assert all(Entry.parse(line).length == 1 for line in lines)


def test_a_name_that_is_not_utf8_is_read(program: str, tmp_path: Path) -> None:
    name = os.path.join(os.fsencode(tmp_path), b"\xff")
    with open(name, "wb") as file:
        file.write(Path(sample("healthy/kernel.txt")).read_bytes())
    made = row(program, os.fsdecode(name))
    assert made["outcome"] == "clean" and made["path"].endswith("/\\udcff"), made


def test_shards_are_the_manifest() -> None:
    lines = [str(number) for number in range(10)]
    parts = [shard(lines, number, 3) for number in range(3)]
    assert sorted(sum(parts, [])) == lines


def test_a_corpus_by_shards(program: str, tmp_path: Path) -> None:
    """The second way: shards into JSON lines, whichever scheduler numbers them."""
    lines = make(tmp_path / "inputs", 20)
    manifest = tmp_path / "manifest"
    manifest.write_text("\n".join(lines) + "\n")
    rows = []
    for number in range(2):
        output = tmp_path / f"{number}.jsonl"
        arguments = ["map", str(manifest), str(output), "--program", program]
        assert main([*arguments, "--shard", str(number), "--of", "2"]) == 0
        rows += [json.loads(line) for line in output.read_text().splitlines()]
    assert sorted(made["path"] for made in rows) == sorted(json.loads(x)["path"] for x in lines)
    assert all(set(made) == set(ROW) and made["outcome"] in OUTCOMES for made in rows)
    outcomes = [made["outcome"] for made in sorted(rows, key=lambda made: str(made["path"]))]
    assert outcomes[18] == outcomes[19] == "unreadable"
    assert not list(tmp_path.glob("*.part"))

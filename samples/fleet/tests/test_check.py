"""The package over single inputs."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import sample

import ptdump_lint


def test_a_healthy_image_passes(program: str) -> None:
    report = ptdump_lint.check(sample("healthy/memory.elf"), program=program)
    assert report.passed and report.complete and report.status == 0
    assert report.architecture == "x86-64" and report.paging_mode == "x86-64 4-level"
    assert report.facts["pti"] == "off"
    assert all(finding.severity == "note" for finding in report.findings)


def test_findings_have_their_place(program: str) -> None:
    report = ptdump_lint.check(sample("cpa-2008/memory.elf"), program=program)
    assert report.status == 1 and not report.passed
    finding = next(finding for finding in report.findings if finding.rule == "PT201")
    assert finding.severity == "error" and finding.area == "direct map"
    assert finding.start is not None and finding.start >= 1 << 63
    assert finding.pages == 252512
    assert len(finding.fingerprint) == len(finding.cause_key) == 16


def test_options_and_logs_are_handed_on(program: str) -> None:
    report = ptdump_lint.check(
        sample("cpa-2008/kernel.txt"), log=sample("cpa-2008/kernel.log"), program=program,
        options=["--only", "PT201"])
    assert {finding.rule for finding in report.findings} == {"PT201"}
    assert report.document["cpaSelfTest"]["runs"]


def test_a_name_that_looks_like_an_option(program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "--help").write_bytes(Path(sample("healthy/kernel.txt")).read_bytes())
    monkeypatch.chdir(tmp_path)
    assert ptdump_lint.check("--help", program=program).passed


def test_what_cannot_be_read_is_a_failure(program: str, tmp_path: Path) -> None:
    with pytest.raises(ptdump_lint.Failure, match="cannot open"):
        ptdump_lint.check(tmp_path / "missing", program=program)
    with pytest.raises(ptdump_lint.Failure, match="is not there"):
        ptdump_lint.check(sample("healthy/kernel.txt"), program=str(tmp_path / "none"))


def test_a_limit_of_time_is_a_failure(misbehave: str, tmp_path: Path) -> None:
    with pytest.raises(ptdump_lint.Failure, match="more than 0.5 seconds"):
        ptdump_lint.check(
            tmp_path / "hang-1", program=misbehave, limits=ptdump_lint.Limits(seconds=0.5))

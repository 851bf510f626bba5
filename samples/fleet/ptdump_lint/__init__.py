"""Judges a Linux kernel's page tables by the program ptdump-lint.

    >>> import ptdump_lint
    >>> report = ptdump_lint.check("vmcore")
    >>> report.passed, [finding.rule for finding in report.findings]
"""

from .program import Failure, Limits, find_program
from .report import Finding, Report, check

__all__ = ["Failure", "Finding", "Limits", "Report", "check", "find_program"]

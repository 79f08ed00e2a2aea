"""The report of a training run: one page that tells how good its model is, and what it is."""

from physgt.report.build import write_report
from physgt.report.run_folder import read_run

__all__ = ["read_run", "write_report"]

"""What verification has proven of a plan, in a line."""

from collections.abc import Iterator

from rich.text import Text

from dovetail.plan.schema import TensorCheck
from dovetail.report.console import STATE_STYLE, words
from dovetail.report.summary import Report
from dovetail.report.words import counted


def certificate_rows(report: Report) -> Iterator[tuple[str, Text]]:
    """The row of a plan that was verified; none where it was not."""
    certificate = report.certificate
    if certificate is None:
        return
    ends = [check for check in certificate.checks if not check.partition]
    farthest = min(ends, key=lambda check: check.snr_db, default=None)
    by = f" by {', '.join(certificate.tools)}" if certificate.tools and report.compiled else ""
    compiled = f"{counted(report.compiled, 'partition')} compiled{by}; " if report.compiled else ""
    tried = f"over {counted(certificate.samples, 'sample')}"
    good, bad = ("holds", STATE_STYLE["supported"]), ("DOES NOT HOLD", STATE_STYLE["unsupported"])
    yield "verified", words(good if certificate.holds else bad, f": {compiled}{_how_far(farthest)} {tried}")


def _how_far(check: TensorCheck | None) -> str:
    if check is None:
        return "it has no output to compare"
    if check.max_abs_error is None:
        return f"output '{check.tensor}' is not like the model's at all"
    if check.max_abs_error == 0:
        return "every output equals the model's"
    return (
        f"worst output '{check.tensor}' is {check.snr_db:.1f} dB above its error "
        f"({check.max_abs_error:.3g} at most), {check.limit_db:g} dB wanted,"
    )

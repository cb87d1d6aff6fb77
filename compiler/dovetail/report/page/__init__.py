"""The report as one HTML file that opens from disk: the verdict, the graph, a timeline and the tables behind them."""

from dovetail.report.page.render import render_page

__all__ = ["render_page"]

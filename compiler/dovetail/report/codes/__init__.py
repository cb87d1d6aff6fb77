"""What each code of a reason means, how it is decided and what to do: pages that ship with the package."""

from dovetail.report.codes.pages import CodePage, code_page, index_page, page_file, render_code, render_code_json

__all__ = ["CodePage", "code_page", "index_page", "page_file", "render_code", "render_code_json"]

"""Excel workbooks for tests."""

import io
from datetime import datetime
from typing import Any

from xlsxwriter import Workbook


def workbook(*rows: list[Any]) -> io.BytesIO:
    """A workbook as Excel would write it."""
    out = io.BytesIO()
    book = Workbook(out, {"default_date_format": "yyyy-mm-dd"})
    sheet, times = book.add_worksheet(), book.add_format({"num_format": "dd/mm/yyyy hh:mm"})
    for line, row in enumerate(rows):
        for place, value in enumerate(row):
            sheet.write(line, place, value, *([times] if isinstance(value, datetime) else []))
    book.close()
    out.seek(0)
    return out

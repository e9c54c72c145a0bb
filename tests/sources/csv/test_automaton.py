"""Comments, escapes and padding, wherever a file is cut: compared with a parser that goes from byte to byte."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from beam_taxi.errors import DataError
from beam_taxi.settings import Dialect
from tests.sources.test_plan import Rows, plan_of, run

BREAKS = "\r\n"


class Parser:
    """Reads records of a text one character at a time. Raises ValueError where a quote is not right."""

    def __init__(self, text: str, dialect: Dialect) -> None:
        self.text = text
        self.dialect = dialect
        self.at = 0
        self.padding = dialect.padding.decode()

    def records(self) -> list[tuple[int, list[str]]]:
        """Return the offset and the cells of each record."""
        found = []
        while self.at < len(self.text):
            start, line = self.at, self._line()
            if (self.dialect.comment and line.startswith(self.dialect.comment)) or not line.strip(self.padding):
                self.at += len(line)
                self._end_line()
            else:
                found.append((start, self._record()))
        return found

    def _line(self) -> str:
        end = self.at
        while end < len(self.text) and self.text[end] not in BREAKS:
            end += 1
        return self.text[self.at : end]

    def _end_line(self) -> None:
        self.at += 2 if self.text.startswith("\r\n", self.at) else 1

    def _record(self) -> list[str]:
        cells = [self._cell()]
        while self.text[self.at : self.at + 1] == self.dialect.delimiter:
            self.at += 1
            cells.append(self._cell())
        self._end_line()
        return cells

    def _cell(self) -> str:
        start = self.at
        self._pad()
        if self.text[self.at : self.at + 1] == self.dialect.quote:
            return self._quoted()
        self.at = start
        cell = ""
        while self.at < len(self.text) and self.text[self.at] not in self.dialect.delimiter + BREAKS:
            cell += self._character()
        return cell

    def _pad(self) -> None:
        while self.at < len(self.text) and self.text[self.at] in self.padding:
            self.at += 1

    def _character(self) -> str:
        if self.text[self.at] == self.dialect.escape:
            self.at += 1
        self.at += 1
        return self.text[self.at - 1]

    def _quoted(self) -> str:
        self.at += 1
        cell = ""
        while self.at < len(self.text):
            if self.text.startswith('""', self.at):
                self.at += 2
                cell += '"'
            elif self.text[self.at] == '"':
                self.at += 1
                self._pad()
                if self.text[self.at : self.at + 1] not in ("", self.dialect.delimiter, *BREAKS):
                    raise ValueError
                return cell
            else:
                cell += self._character()
        raise ValueError


OPTIONS = {
    "comment": {"comment": "#"},
    "escape": {"escape": "\\"},
    "trim": {"trim": True},
    "comment and escape": {"comment": "#", "escape": "\\"},
    "comment and trim": {"comment": "#", "trim": True},
    "escape and trim": {"escape": "\\", "trim": True},
    "all": {"comment": "#", "escape": "\\", "trim": True},
}
PIECES = st.lists(
    st.sampled_from([*'a,"\n\r# \\', "\r\n", ',"', '",', "\n#", '\\"', '"\n', "a,b\n", '"a\n#",b\n', "\\\n", ' "']),
    max_size=25,
)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PIECES, st.integers(1, 40), st.integers(1, 30))
def test_any_text_is_read_as_from_byte_to_byte(
    tmp_path: Path, options: dict[str, object], pieces: list[str], part_bytes: int, batch_bytes: int
):
    text = "x,y\n" + "".join(pieces)
    # What is escaped at the end of a file is unknown.
    assume(not text.endswith("\\"))
    # A quoted field that closes in a line that may be a comment, before an escaped line break.
    assume(not re.search(r'[\r\n]#[^\r\n]*"[^\r\n]*\\[\r\n]', text))
    dialect = Dialect(**options)  # type: ignore[arg-type]
    (tmp_path / "x.csv").write_bytes(text.encode())
    planned = plan_of(
        tmp_path / "x.csv", part_bytes, num_shards=3, batch_bytes=batch_bytes, max_rejects=99, dialect=dialect
    )
    try:
        records = Parser(text, dialect).records()[1:]
    except ValueError:
        with pytest.raises(DataError, match="quote"):
            run(planned)
        return
    trim = str.strip if dialect.trim else str
    right: Rows = [tuple(trim(cell) or None for cell in cells) for _, cells in records if len(cells) == 2]
    if not right:
        with pytest.raises(DataError, match="no rows"):
            run(planned)
        return
    units, _, rejects = run(planned)
    assert [row for rows in units for row in rows] == right
    assert sorted(reject.offset for reject in rejects) == [at for at, cells in records if len(cells) != 2]
    for reject in rejects:
        before = text[: reject.offset].replace("\r\n", "\n").replace("\r", "\n")
        assert reject.line == 1 + before.count("\n")

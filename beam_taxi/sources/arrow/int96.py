"""INT96 timestamps, a former type of Parquet: a day, and nanoseconds of the day, of any year.

Arrow gives them as int64: in ms, and in ns of which it keeps the lowest 64 bits. Both together are exact, but for one
doubt: for times before 1970 Arrow has long written negative nanoseconds of a day, which it reads as positive ones
(https://github.com/apache/arrow/issues/48246), so that in ms they are 584 years later. No time is a whole number of
microseconds both ways.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from beam_taxi.sources.arrow.lists import Lists
from beam_taxi.sources.arrow.times import Integers, integers_of, text_of_timestamps

_PER_MILLISECOND = 10**6
_LATER, _LATER_REST = divmod(2**64, _PER_MILLISECOND)
_LAST_OF_NS = 2**63 // _PER_MILLISECOND


def text_of_int96(milliseconds: pa.Array, nanoseconds: pa.Array) -> pa.Array:
    """Return timestamps, or lists of them, as text. Raises ArrowInvalid if the year of one is doubtful."""
    if pa.types.is_list(milliseconds.type):
        lists = Lists.of(milliseconds)
        return lists.column(text_of_int96(lists.values, Lists.of(nanoseconds).values))
    coarse = integers_of(milliseconds)
    with np.errstate(over="ignore"):
        rest = integers_of(nanoseconds) - coarse * _PER_MILLISECOND
    coarse, rest = _with_earlier(coarse, rest)
    return text_of_timestamps(milliseconds, coarse // 1000, coarse % 1000 * _PER_MILLISECOND + rest)


def _with_earlier(coarse: Integers, rest: Integers) -> tuple[Integers, Integers]:
    """Return milliseconds and the rest in nanoseconds, with those corrected that are 584 years too late."""
    is_whole = rest % 1000 == 0
    if is_whole.all():
        return coarse, rest
    may_be_earlier = (coarse < _LATER) | ((coarse == _LATER) & (rest < _LATER_REST))
    is_earlier = ~is_whole & may_be_earlier & (rest % 1000 == _LATER_REST % 1000)
    if not (is_whole | is_earlier).all():
        # There are nanoseconds, so they show nothing, but ns had room for the years up to 2262.
        doubtful = ~is_whole & may_be_earlier & (coarse > _LAST_OF_NS)
        if doubtful.any():
            later = int(coarse[doubtful][0])
            earlier = later - _LATER + (int(rest[doubtful][0]) - _LATER_REST) // _PER_MILLISECOND
            years = [np.datetime64(one, "ms").astype("datetime64[Y]") for one in (earlier, later)]
            raise pa.ArrowInvalid(f"an INT96 timestamp may be in the year {years[0]} or {years[1]}: write it as int64")
        return coarse, rest
    coarse = np.where(is_earlier, coarse - _LATER + (rest - _LATER_REST) // _PER_MILLISECOND, coarse)
    return coarse, np.where(is_earlier, (rest - _LATER_REST) % _PER_MILLISECOND, rest)

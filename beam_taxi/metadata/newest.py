"""Read a query of a store from its newest entries on, no more of it than is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

_PAGE = 100
"""Entries of the first read; ML Metadata itself reads as many at a time."""
_GROWTH = 4


def newest(query: Callable[..., list[Any]], page: int = _PAGE) -> Iterator[Any]:
    """Yield what a query of a MetadataStore returns, such as `get_executions`, newest first.

    The query is asked for `page` entries, then for 4 times as many, and so on, as long as more are taken: the client
    of ML Metadata has no public way to go on from a page. Entries that others add meanwhile are not yielded twice.
    """
    from ml_metadata import ListOptions, OrderByField

    seen: set[int] = set()
    while True:
        found = query(list_options=ListOptions(limit=page, order_by=OrderByField.ID, is_asc=False))
        for one in found:
            if one.id not in seen:
                seen.add(one.id)
                yield one
        if len(found) < page:
            return
        page *= _GROWTH

"""What a launch needs of the terminal."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol


class Console(Protocol):
    """Shows what happens during a launch, and asks."""

    def tell(self, name: str, value: str) -> None:
        """Show a line of the result: a name and its value."""

    def warn(self, text: str) -> None:
        """Show a warning."""

    def status(self, line: str) -> None:
        """Show what the job is doing, in place of the status before."""

    def end_status(self) -> None:
        """Leave the last status as it stands."""

    def ask(self, question: str) -> bool:
        """Return whether the user agrees; False if there is nobody to ask."""

    def progress(self, total: int) -> AbstractContextManager[None]:
        """Show progress bars over `total` bytes while the block runs."""

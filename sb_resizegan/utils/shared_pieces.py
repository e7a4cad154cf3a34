"""Work in pieces that processes share by way of a folder: whoever has time takes the next."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path

from sb_resizegan.utils.locks import try_lock

__all__ = ["SharedPieces"]

PAUSE = 0.05  # seconds between two looks at what others are at work on

_behind: dict[tuple[str, ...], threading.Thread] = {}


class SharedPieces:
    """Pieces of work, each of which is there when it is done.

    Arguments
    ---------
    folder : Path
        Where the locks go.
    names : sequence of str
        Of the pieces, the same in all processes.
    is_there : callable
        Whether the piece of a number is done.
    make : callable
        Does the piece of a number; calls what it is given second each time a part of it is done.

    Example
    -------
    >>> folder = getfixture("tmp_path")
    >>> made = lambda number: folder / f"{number}.txt"
    >>> pieces = SharedPieces(
    ...     folder, ["a", "b"], lambda n: made(n).exists(), lambda n, step: made(n).write_text("done")
    ... )
    >>> pieces.make([1])
    >>> pieces.there(), sorted(path.name for path in folder.iterdir())
    ([1], ['1.txt'])
    """

    def __init__(
        self,
        folder: Path,
        names: list[str],
        is_there: Callable[[int], bool],
        make: Callable[[int, Callable[[], object]], object],
    ) -> None:
        self.folder, self.names = folder, names
        self._is_there, self._make = is_there, make

    def there(self) -> list[int]:
        """Numbers of the pieces that are done."""
        return [number for number in range(len(self.names)) if self._is_there(number)]

    def make(
        self,
        numbers: Iterable[int],
        step: Callable[[], object] = lambda: None,
        enough: Callable[[], bool] = lambda: False,
    ) -> None:
        """Does pieces, and waits for those that others are at work on.

        A process that ends leaves its piece to the others: its lock goes with it.

        Arguments
        ---------
        numbers : iterable of int
            Which; the first ones first.
        step : callable
            Called each time a part of a piece is done here.
        enough : callable
            Whether no further piece is to be begun.
        """
        waiting = deque(number for number in numbers if not self._is_there(number))
        in_vain = 0
        while waiting and not enough():
            number = waiting.popleft()
            with try_lock(self.folder / f".{self.names[number]}.lock") as is_mine:
                if is_mine and not self._is_there(number):
                    self._make(number, step)
            if is_mine or self._is_there(number):
                in_vain = 0
                continue
            waiting.append(number)
            in_vain += 1
            if in_vain >= len(waiting):
                time.sleep(PAUSE)

    def make_behind(self, numbers: Iterable[int]) -> None:
        """Does pieces beside whatever this process goes on with; once, however often it is called."""
        key = tuple(self.names)
        if key in _behind and _behind[key].is_alive():
            return
        # A daemon: a process that is done with its own work does not wait for it.
        _behind[key] = threading.Thread(target=self.make, args=(list(numbers),), daemon=True)
        _behind[key].start()

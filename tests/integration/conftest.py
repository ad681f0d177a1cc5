import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest

# A shell starts what it puts into the background deaf to Ctrl-C, and so would be all programs that the tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

sys.path.insert(0, str(Path(__file__).resolve().parent))

HANGS_SECONDS = 240  # four times what the longest takes


def hangs(_number: int, _frame: FrameType | None) -> None:
    pytest.fail(f"hangs: more than {HANGS_SECONDS} s")


@pytest.fixture(autouse=True)
def ends_in_time() -> Iterator[None]:
    """A test that hangs fails where it does, and the others go on."""
    signal.signal(signal.SIGALRM, hangs)
    signal.alarm(HANGS_SECONDS)
    yield
    signal.alarm(0)

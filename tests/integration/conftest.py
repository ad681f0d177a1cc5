import signal
import sys
from pathlib import Path

# A shell starts what it puts into the background deaf to Ctrl-C, and so would be all programs that the tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

sys.path.insert(0, str(Path(__file__).resolve().parent))

"""A local stand-in for the Hugging Face dataset viewer and the Hub's access check, over real sockets.

``async with StandIn(rows)`` in a loop, ``with serving(StandIn(rows))`` in a thread, ``python -m tests.standin`` as a process.
"""

from tests.standin.faults import Script, rule
from tests.standin.hosts import OtherHost, serving
from tests.standin.limits import Window
from tests.standin.rows import GeneratedRows
from tests.standin.server import StandIn
from tests.standin.wire import Seen

__all__ = ["GeneratedRows", "OtherHost", "Script", "Seen", "StandIn", "Window", "rule", "serving"]

"""What holds for every test: a slow machine proves nothing, so no example has to be drawn or run in a given time.

Where CI judges a change, the examples are the same for everybody: luck neither passes nor fails it. The search for new
ones goes on at desks and in `make fuzz`.
"""

import os
import signal

from hypothesis import HealthCheck, settings

settings.register_profile(
    "patient", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize="CI" in os.environ
)
settings.load_profile("patient")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # started by a script with `&`: no child would hear a Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)

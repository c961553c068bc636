"""Linux tells when its clock is set: a timer that never fires and is cancelled by that (timerfd_create(2))."""

from __future__ import annotations

import ctypes
import errno
import os
import time

TFD_TIMER_ABSTIME = 1
TFD_TIMER_CANCEL_ON_SET = 2
NEVER_S = 1 << 33


def open_timer() -> int | None:
    """Return a descriptor that becomes readable whenever the clock is set, or None where that is not possible."""
    libc = ctypes.CDLL(None, use_errno=True)
    handle = int(libc.timerfd_create(time.CLOCK_REALTIME, os.O_NONBLOCK | os.O_CLOEXEC))
    if handle < 0:
        return None
    never = (ctypes.c_long * 4)(0, 0, NEVER_S, 0)
    if libc.timerfd_settime(handle, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, never, None) < 0:
        os.close(handle)
        return None
    return handle


def was_set(handle: int) -> bool:
    """Say, once, whether the clock was set since the last call."""
    try:
        os.read(handle, 8)
    except BlockingIOError:
        return False
    except OSError as error:
        return error.errno == errno.ECANCELED
    return True

"""Runs a program whose Socket.IO client notices its connection 0.4 s late, as can happen on a busy machine. By then it
can have got messages, and lost the connection again: late_connection.py PROGRAM ARGUMENTS"""

import runpy
import sys
import threading
import time

import engineio


class LateEvent(threading.Event):
    def wait(self, timeout=None):
        is_set = super().wait(timeout)
        if is_set:
            time.sleep(0.4)
        return is_set


engineio.Client.create_event = lambda self: LateEvent()
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name='__main__')

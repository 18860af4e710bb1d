import ctypes
import os

bind = f"{os.environ['HOST']}:{os.environ['PORT']}"
workers = int(os.environ.get("WORKERS", "2"))
# The default, /tmp, is on the container's layered file system.
worker_tmp_dir = "/dev/shm"
accesslog = "-"
errorlog = "-"
capture_output = True
PR_SET_CHILD_SUBREAPER = 36


def on_starting(server):
    # What being process 1 of a container comes to: orphans become our children.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

"""The monitor counts workers whose title says that they are ready."""

import setproctitle


def on_starting(server):
    server.log.info("loading plugins for %s", server.cfg.proc_name)


def post_worker_init(worker):
    setproctitle.setproctitle(f"[ready] {setproctitle.getproctitle()}")

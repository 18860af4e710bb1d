"""A worker class that does not like its configuration."""

import sys

from tiny import TinyWorker


class PickyWorker(TinyWorker):
    @classmethod
    def check_config(cls, cfg, log):
        log.error("not with %s workers", cfg.workers)
        sys.exit(1)

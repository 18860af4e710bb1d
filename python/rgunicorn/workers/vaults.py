"""How much room a worker's vault has: docs/design/dispatch.md."""

from __future__ import annotations

import resource

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rgunicorn.config import Config

# Connections of one worker that are rescued when it is killed, at most.
_MOST = 64
# The kernel counts descriptors on their way between processes, for each user, and allows as many
# as RLIMIT_NOFILE says, unix(7). The vaults of one server may have this part of them: the queue
# between workers needs some, and so do other servers of the same user.
_PART = 8


def room(cfg: Config) -> int:
    """Connections for which a worker's vault shall have room; 0 for no vault.

    Args:
        cfg: the configuration. With TLS in this server there is nothing to deposit: the state of
            the encryption would be lost.
    """
    if cfg.is_ssl:
        return 0
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if soft == resource.RLIM_INFINITY:
        return _MOST
    workers = max(1, cfg.workers, cfg.max_workers or 0)
    # A keeper needs the rest of a vault.
    return min(_MOST, max(soft // _PART // workers, int(cfg.worker_keeper)))

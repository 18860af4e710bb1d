"""What of a configuration a worker class can not do."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rgunicorn.config import Config
    from rgunicorn.workers.abilities import Abilities

# Values of `access_log_format` that only our logger knows.
_OWN_FORMATS = ("json", "logfmt")


def refusals(cls: type[Abilities], cfg: Config) -> list[str]:
    """Sentences with what to do instead.

    Args:
        cls: the worker class; its class methods say what it can do.
        cfg: the configuration.
    """
    texts = []
    if cfg.max_workers and not cls.capacity(cfg):
        texts.append(
            f"max_workers = {cfg.max_workers} can not be used with {cls.__name__}, which does "
            "not tell how busy it is: set workers, or use worker_class 'sync' or 'gthread'."
        )
    # Every word but this one means HTTP to Gunicorn.
    if cfg.protocol == "uwsgi" and not cls.speaks_uwsgi():
        texts.append(
            f"protocol = 'uwsgi' can not be used with {cls.__name__}, whose server speaks HTTP "
            "only: use proxy_pass in nginx, or worker_class 'sync', 'gthread' or 'gevent'."
        )
    if getattr(cfg, "request_id_header", None) and not cls.names_requests():
        texts.append(
            f"request_id_header = {cfg.request_id_header!r} can not be used with "
            f"{cls.__name__}, whose server reads the requests itself: use a middleware that "
            "gives them names, or worker_class 'sync', 'gthread', 'gevent', 'tornado' or "
            "'asgi'."
        )
    for name in () if cls.logs_requests() else ("format", "when", "skip"):
        value = getattr(cfg, f"access_log_{name}", None)
        usual = value in (None, "all", []) if name != "format" else value not in _OWN_FORMATS
        if not usual:
            texts.append(
                f"access_log_{name} = {value!r} can not be used with {cls.__name__}, whose "
                "access log is its server's: use what that server has for it, or worker_class "
                "'sync', 'gthread', 'gevent' or 'asgi'."
            )
    for name in ("request_timeout", "log_slow"):
        value = getattr(cfg, name, 0)
        if value and not cls.times_requests():
            texts.append(
                f"{name} = {value!r} can not be used with {cls.__name__}, whose server does "
                "not say when a request begins: use worker_class 'sync', 'gthread', 'gevent' "
                "or 'tornado', or a limit of the application's framework."
            )
    if cfg.worker_keeper and not cfg.is_ssl and not cls.vault_room(cfg):
        texts.append(
            f"worker_keeper = True can not be used with {cls.__name__}, whose connections end with "
            "it: use worker_class 'sync' or 'gthread'."
        )
    if cfg.static_map and not cls.serves_files():
        texts.append(
            f"static_map = {cfg.static_map!r} can not be used with {cls.__name__}, whose "
            "server knows the application only: use worker_class 'sync', 'gthread' or "
            "'gevent', or let the proxy or the application's framework serve the files."
        )
    return texts

"""What helps while developing: reloading, tracing, checking the configuration."""

from __future__ import annotations

from rgunicorn.errors import ConfigError
from rgunicorn.settings.base import Setting
from rgunicorn.settings.validators import validate_bool, validate_list_of_files_or_patterns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# The keys of `rgunicorn.reloader.reloader_engines`, without importing watchers at boot.
RELOAD_ENGINES = ("auto", "poll", "inotify")


def validate_reload_engine(val: Any) -> str:
    """The name of a file watcher."""
    if val not in RELOAD_ENGINES:
        raise ConfigError(f"Invalid reload_engine: {val!r}")
    return str(val)


class Reload(Setting):
    name = "reload"
    section = "Debugging"
    cli = ["--reload"]
    action = "store_true"
    validator = validate_bool
    default = False
    desc = """\
        Restart workers when the code changes.

        Watches the files of all loaded modules and of `reload_extra_files`. For development
        only: it costs a thread in each worker, and it has no effect on an application that was
        loaded by `preload_app`. Code that can not be imported is shown to the browser as a
        traceback until it is repaired.
        """


class ReloadEngine(Setting):
    name = "reload_engine"
    section = "Debugging"
    cli = ["--reload-engine"]
    meta = "STRING"
    validator = validate_reload_engine
    default = "auto"
    desc = """\
        How `reload` notices changes: `auto`, `inotify` or `poll`.

        `poll` looks at every file once a second and works everywhere, also on network mounts
        and in containers with mounted sources; `inotify` is told by the kernel and needs the
        package of that name; `auto` takes inotify when it is there.
        """


class ReloadExtraFiles(Setting):
    name = "reload_extra_files"
    section = "Debugging"
    cli = ["--reload-extra-file"]
    action = "append"
    meta = "FILES"
    validator = validate_list_of_files_or_patterns
    default = []
    desc = """\
        Further files to watch with `reload`; give the flag again for more.

        Templates, translations, configuration. A path must exist; a pattern as
        `templates/**/*.html` may match files later.
        """


class Spew(Setting):
    name = "spew"
    section = "Debugging"
    cli = ["--spew"]
    action = "store_true"
    validator = validate_bool
    default = False
    desc = """\
        Print every line of Python that is executed.

        A last resort, and very slow.
        """


class ConfigCheck(Setting):
    name = "check_config"
    section = "Debugging"
    cli = ["--check-config"]
    action = "store_true"
    validator = validate_bool
    default = False
    desc = """\
        Load configuration and application, then exit: 0 when all is well, else 1.

        Made for deploy scripts: `rgunicorn --check-config myproject.wsgi` finds a misspelt
        value, a setting that is not built yet, or an import error before anything is stopped.
        """


class PrintConfig(Setting):
    name = "print_config"
    section = "Debugging"
    cli = ["--print-config"]
    action = "store_true"
    validator = validate_bool
    default = False
    desc = """\
        Print every setting as it came out, then do as `check_config` does.

        Nothing is hidden: passwords in `raw_env` are printed as well.
        """

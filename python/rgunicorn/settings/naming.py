"""Names of processes, and the roads to the application."""

from __future__ import annotations

from rgunicorn.settings.base import Setting
from rgunicorn.settings.validators import validate_string


class Procname(Setting):
    name = "proc_name"
    section = "Process Naming"
    cli = ["-n", "--name"]
    meta = "STRING"
    validator = validate_string
    desc = """\
        The name of this server in process lists and in syslog.

        `gunicorn: master [NAME]` and `gunicorn: worker [NAME]`; process lists need the package
        `setproctitle`. Useful when one machine runs several servers.
        """


class DefaultProcName(Setting):
    name = "default_proc_name"
    section = "Process Naming"
    validator = validate_string
    default = "gunicorn"
    desc = """\
        The name used while `proc_name` is not set; the command line puts the application here.
        """


class PythonPath(Setting):
    name = "pythonpath"
    section = "Server Mechanics"
    cli = ["--pythonpath"]
    meta = "STRING"
    validator = validate_string
    desc = """\
        Directories to import from before all others, separated by commas.

        Relative ones count from `chdir`.
        """


class Paste(Setting):
    name = "paste"
    section = "Server Mechanics"
    cli = ["--paste", "--paster"]
    meta = "STRING"
    validator = validate_string
    desc = """\
        A PasteDeploy file to load the application from, as `FILE` or `FILE#SECTION`.

        It needs the package `PasteDeploy`. The file's path is the process name, and a `[loggers]`
        section in it is used as `logconfig`. Its `[server:...]` sections are for `pserve`, whose
        `use = egg:rgunicorn#main` serves by this server; `egg:gunicorn#main` names the package
        Gunicorn, and no other package can answer to that.
        """

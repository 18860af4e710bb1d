"""How the server's processes are set up: files, identity, environment, trusted peers."""

from __future__ import annotations

import os

from rgunicorn import util
from rgunicorn.settings.base import Setting, auto_int
from rgunicorn.settings.validators import (
    validate_bool,
    validate_chdir,
    validate_dict,
    validate_group,
    validate_list_string,
    validate_pos_int,
    validate_string,
    validate_string_to_addr_list,
    validate_user,
)


class PreloadApp(Setting):
    name = "preload_app"
    section = "Server Mechanics"
    cli = ["--preload"]
    action = "store_true"
    validator = validate_bool
    default = False
    desc = """\
        Import the application once, in the master, before workers are forked.

        Workers start faster and share the memory of what was imported. In return HUP does not
        load new code, and whatever the import opens (database connections, threads) is shared by
        all workers: open such things in `post_fork` instead.
        """


class Sendfile(Setting):
    name = "sendfile"
    section = "Server Mechanics"
    cli = ["--no-sendfile"]
    action = "store_const"
    const = False
    validator = validate_bool
    default_doc = "the word in `SENDFILE` if that is in the environment, else on"
    desc = """\
        Do not let the kernel copy files that the application answers with.

        The flag switches sendfile(2) off. In a config file `False` is off and `True` is on;
        while it is not set, `y`, `1`, `yes` or `true` in the environment variable `SENDFILE` is
        on, any other word is off. Switch it off for file systems that do not support it.
        """


class ReusePort(Setting):
    name = "reuse_port"
    section = "Server Mechanics"
    cli = ["--reuse-port"]
    action = "store_true"
    validator = validate_bool
    default = False
    desc = """\
        Give each worker a listening socket of its own (`SO_REUSEPORT`).

        The kernel then spreads connections over the workers by their addresses, not by who is
        free, and a connection waits for the worker it was given to.
        """


class Chdir(Setting):
    name = "chdir"
    section = "Server Mechanics"
    cli = ["--chdir"]
    validator = validate_chdir
    default = util.getcwd()
    default_doc = "the directory in which the server is started"
    desc = """\
        Change to this directory before the application is loaded.

        It also comes first on the Python path.
        """


class Daemon(Setting):
    name = "daemon"
    section = "Server Mechanics"
    cli = ["-D", "--daemon"]
    action = "store_true"
    validator = validate_bool
    default = False
    desc = """\
        Go into the background.

        stdin, stdout and stderr go to /dev/null, so set `errorlog` to a file. Do not use it
        under systemd, Docker or supervisor: they look after a process that stays in front.
        """


class Env(Setting):
    name = "raw_env"
    section = "Server Mechanics"
    cli = ["-e", "--env"]
    action = "append"
    meta = "ENV"
    validator = validate_list_string
    default = []
    desc = """\
        An environment variable for the application, as `NAME=VALUE`; may be repeated.
        """


class Pidfile(Setting):
    name = "pidfile"
    section = "Server Mechanics"
    cli = ["-p", "--pid"]
    meta = "FILE"
    validator = validate_string
    desc = """\
        A file to write the process id of the master to.

        A second server that finds it with the id of a running process does not start. During a
        binary upgrade (USR2) the new master writes `FILE.2`.
        """


class WorkerTmpDir(Setting):
    name = "worker_tmp_dir"
    section = "Server Mechanics"
    cli = ["--worker-tmp-dir"]
    meta = "DIR"
    validator = validate_string
    default_doc = "not set: no file"
    desc = """\
        A directory for the heartbeats of the workers.

        Workers show that they are alive in memory that they share with the master. With this
        setting that memory is a file in the directory, as Gunicorn's always is. There is seldom
        a reason to set it: in Gunicorn it is moved to /dev/shm because heartbeats that wait for a
        slow disk make healthy workers look dead, which can not happen without a file.
        """


class User(Setting):
    name = "user"
    section = "Server Mechanics"
    cli = ["-u", "--user"]
    meta = "USER"
    validator = validate_user
    default = os.geteuid()
    default_doc = "the user who starts the server"
    desc = """\
        Run workers as this user, by name or number.

        The master stays as it was started, so it can bind port 80 and open log files as root.
        Log files and Unix sockets are given to this user.
        """


class Group(Setting):
    name = "group"
    section = "Server Mechanics"
    cli = ["-g", "--group"]
    meta = "GROUP"
    validator = validate_group
    default = os.getegid()
    default_doc = "the group of the user who starts the server"
    desc = """\
        Run workers as this group, by name or number.
        """


class Umask(Setting):
    name = "umask"
    section = "Server Mechanics"
    cli = ["-m", "--umask"]
    meta = "INT"
    type = auto_int
    validator = validate_pos_int
    default = 0
    desc = """\
        Permission bits to withhold from Unix sockets and heartbeat files.

        `0o007` keeps strangers away from a Unix socket, the default lets everyone connect. On
        the command line `0007` is octal as well. Files that the application makes are not
        concerned.
        """


class Initgroups(Setting):
    name = "initgroups"
    section = "Server Mechanics"
    cli = ["--initgroups"]
    action = "store_true"
    validator = validate_bool
    default = False
    desc = """\
        Give workers all groups that `user` is a member of.

        Without it they keep the supplementary groups of the master.
        """


class TmpUploadDir(Setting):
    name = "tmp_upload_dir"
    section = "Server Mechanics"
    meta = "DIR"
    validator = validate_string
    default_doc = "the directory for temporary files"
    desc = """\
        Where large request bodies are kept while they arrive.

        Bodies are received completely before the application is called. Those that are too large
        for memory go to files in this directory that have no name, so nothing is left behind.
        It must exist and `user` must be allowed to write to it; otherwise a warning says so, and
        the directory for temporary files is used.
        """


class SecureSchemeHeader(Setting):
    name = "secure_scheme_headers"
    section = "Server Mechanics"
    validator = validate_dict
    default = {
        "X-FORWARDED-PROTOCOL": "ssl",
        "X-FORWARDED-PROTO": "https",
        "X-FORWARDED-SSL": "on",
    }
    desc = """\
        Headers by which a trusted proxy says that its client came over HTTPS.

        A dict of header name in upper case and the exact value that means HTTPS; any other value
        means HTTP, and two headers that contradict each other are answered with 400. Only peers
        in `forwarded_allow_ips` are believed. Decides `wsgi.url_scheme`.
        """


class ForwardedAllowIPS(Setting):
    name = "forwarded_allow_ips"
    section = "Server Mechanics"
    cli = ["--forwarded-allow-ips"]
    meta = "STRING"
    validator = validate_string_to_addr_list
    default = os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1,::1")
    default_doc = "`FORWARDED_ALLOW_IPS` if it is in the environment, else `'127.0.0.1,::1'`"
    default_env = "FORWARDED_ALLOW_IPS"
    desc = """\
        Proxies whose headers are believed: addresses and networks, separated by commas.

        `10.0.0.0/8,::1` for instance, or `*` for every peer, which is right only when nobody but
        the proxy can reach the server. Peers on Unix sockets are always believed. Concerns
        `secure_scheme_headers` and `forwarder_headers`; REMOTE_ADDR stays the address of the
        proxy.
        """

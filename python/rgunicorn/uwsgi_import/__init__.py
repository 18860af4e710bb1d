"""`rgunicorn import-uwsgi`: a gunicorn.conf.py from a configuration of uWSGI.

`reading` gives the options of a file in uWSGI's order, with placeholders filled in. `table` knows
what each option becomes. What belongs to one question (where to listen, what to log) is answered
by one module that looks at all options about it; the rest is converted row by row. Nothing here
runs what a file names, and what can not be carried over for sure is told instead.

Facts about uWSGI are those of its branch 2.0 and of its documentation.
"""

"""rgunicorn reads this file by itself. Heroku sets PORT, so `bind` is 0.0.0.0 with that port, and
WEB_CONCURRENCY, which is `workers`."""

worker_class = "gthread"
threads = 4

# A dyno is killed 30 s after TERM, and its router gives a request up after 30 s.
graceful_timeout = 25
request_timeout = 28

# Only the router reaches a dyno: what it says of its clients is true.
forwarded_allow_ips = "*"
request_id_header = "X-Request-ID"
# X-Request-Start tells how long a request has waited in the router.
max_queue_time = 20

# Heroku keeps logs, and has a line of its own for each request.
accesslog = None

preload_app = True
# Below the memory of the dyno: 512 MB for two workers.
max_rss = "220M"

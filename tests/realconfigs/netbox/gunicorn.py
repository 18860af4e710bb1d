import os

# Where the service listens
bind = f"127.0.0.1:{os.environ.get('NETBOX_PORT', '8001')}"

# Processes, and threads in each
workers = 2
threads = 3

# Seconds before a silent worker is ended
timeout = 120

# Requests before a worker is replaced, and how far apart the workers are
max_requests = 5000
max_requests_jitter = 500

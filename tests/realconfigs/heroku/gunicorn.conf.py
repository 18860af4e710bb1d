# The router speaks to us from any address, and says in one header whether its client used TLS.
forwarded_allow_ips = "*"
secure_scheme_headers = {"X-FORWARDED-PROTO": "https"}
# Of an old version; no setting any more.
x_forwarded_for_header = "X-FORWARDED-FOR"

"""The shop with Elastic APM; settings come from the environment."""

from elasticapm.contrib.flask import ElasticAPM
from shop import app

ElasticAPM(app)

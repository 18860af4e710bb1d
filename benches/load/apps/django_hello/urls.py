"""One address, one view."""

from django.http import HttpResponse
from django.urls import path


def hello(_request):
    return HttpResponse("Hello, World!")


urlpatterns = [path("", hello)]

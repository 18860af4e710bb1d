from django.http import HttpResponse, StreamingHttpResponse
from django.urls import path


def index(request):
    return HttpResponse(f"secure: {request.is_secure()}, at {request.build_absolute_uri()}\n")


def export(request):
    return StreamingHttpResponse((f"row {i}\n" for i in range(3)), content_type="text/csv")


def broken(request):
    raise ValueError("no such template")


urlpatterns = [path("", index), path("export/", export), path("broken/", broken)]

import json

from django.http import JsonResponse
from django.urls import path


def devices(request):
    if request.method == "POST":
        return JsonResponse(json.loads(request.body), status=201)
    return JsonResponse({"count": 0, "next": request.build_absolute_uri("?offset=50")})


urlpatterns = [path("api/dcim/devices/", devices)]

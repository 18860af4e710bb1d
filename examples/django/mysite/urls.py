from board import views
from django.contrib import admin
from django.urls import path

urlpatterns = [
    path("", views.notes),
    path("admin/", admin.site.urls),
    path("file/", views.download),
    path("stream/", views.stream),
    path("upload/", views.upload),
    path("whoami/", views.whoami),
]

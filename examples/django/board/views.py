"""What a WSGI server has to get right: forms, sessions, uploads, streams, files."""

import hashlib
from pathlib import Path

from django import forms
from django.http import FileResponse, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import redirect, render

from .models import Note


class NoteForm(forms.ModelForm):
    class Meta:
        model = Note
        fields = ["text"]


class UploadForm(forms.Form):
    file = forms.FileField()


def notes(request: HttpRequest) -> HttpResponse:
    """The board: what was written, a form for more, and how often this session wrote."""
    form = NoteForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        form.save()
        request.session["written"] = request.session.get("written", 0) + 1
        return redirect("/")
    context = {
        "form": form,
        "notes": Note.objects.order_by("-id")[:50],
        "written": request.session.get("written", 0),
    }
    return render(request, "board/notes.html", context)


def upload(request: HttpRequest) -> HttpResponse:
    """Size and SHA-256 of an uploaded file, which is not kept."""
    form = UploadForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        digest = hashlib.sha256()
        for chunk in form.cleaned_data["file"].chunks():
            digest.update(chunk)
        return HttpResponse(
            f"{form.cleaned_data['file'].size} {digest.hexdigest()}\n", content_type="text/plain"
        )
    return render(request, "board/upload.html", {"form": form})


def stream(request: HttpRequest) -> StreamingHttpResponse:
    """`?lines=` lines, each sent as it is made."""
    count = int(request.GET.get("lines", 100))
    lines = (f"line {i}\n" for i in range(count))
    return StreamingHttpResponse(lines, content_type="text/plain")


def download(request: HttpRequest) -> FileResponse:
    """This very file, by wsgi.file_wrapper."""
    return FileResponse(Path(__file__).open("rb"), as_attachment=True)


def whoami(request: HttpRequest) -> JsonResponse:
    """What the server told Django about the request."""
    return JsonResponse(
        {
            "host": request.get_host(),
            "method": request.method,
            "path": request.path,
            "remote": request.META["REMOTE_ADDR"],
            "secure": request.is_secure(),
            "software": request.META["SERVER_SOFTWARE"],
            "url": request.build_absolute_uri(),
            "user": request.user.get_username(),
        }
    )

from django.db import models


class Note(models.Model):
    """A line somebody left on the board."""

    text = models.CharField(max_length=200)
    written = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return str(self.text)

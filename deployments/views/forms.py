"""The form of a press that changes something."""

import uuid
from typing import Any

from django import forms
from django.utils.html import format_html

PLAIN_TEXT = {
    "autocomplete": "off",
    "autocapitalize": "none",
    "autocorrect": "off",
    "spellcheck": "false",
    "class": "m",
}
"""For names that are typed: nothing corrects them, and they stand in the machine's type."""


class ConfirmForm(forms.Form):
    """Bound to what the person saw, and harmless when it comes twice: pass `request_key` on to the service.

    With `target` the person has to type that name; large and small letters are the same, and pasting works. Subclasses
    add a comment, an accepted loss, and the like.
    """

    request_key = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)
    digest = forms.CharField(widget=forms.HiddenInput, max_length=64, required=False)
    revision = forms.IntegerField(widget=forms.HiddenInput, required=False)
    confirm = forms.CharField(
        widget=forms.TextInput(attrs=PLAIN_TEXT), help_text="Large or small letters; pasting works.", max_length=200
    )

    def __init__(self, *args: Any, target: str = "", verb: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.target = target
        if target:
            self.fields["confirm"].label = format_html("Type <code>{}</code> to {}", target, verb)
        else:
            del self.fields["confirm"]

    def clean_confirm(self) -> str:
        """Return the typed name. Raises ValidationError if it is another one."""
        typed = str(self.cleaned_data["confirm"])
        if typed.strip().casefold() != self.target.casefold():
            raise forms.ValidationError(f"You typed {typed}. This is for {self.target}. Nothing was changed.")
        return typed

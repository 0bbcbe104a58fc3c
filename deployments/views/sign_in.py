"""Signing in and out: Django's own, in our words."""

from typing import Any

from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, LogoutView
from django.db import transaction
from django.forms import CharField, PasswordInput, ValidationError
from django.http import HttpRequest, HttpResponse

from deployments.actors import Actor, person
from deployments.models import User
from deployments.services.sessions import record_sign_in, record_sign_out
from deployments.services.sign_in import TooManySignIns, begin_try, end_badly, end_well
from deployments.views.base import traces_of

TOO_MANY = 429


class SignInForm(AuthenticationForm):
    """Name and password. Pasting works, and a password manager finds both fields."""

    error_messages = {
        "invalid_login": "This name and password do not belong together. Nothing was opened. Try again, or ask an "
        "administrator for a new password.",
        "inactive": "This account is closed. Ask an administrator to open it.",
    }
    password = CharField(
        label="Password", strip=False, widget=PasswordInput(attrs={"autocomplete": "current-password"})
    )

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.fields["username"].label = "Name"
        self.refusal: TooManySignIns | None = None

    def clean(self) -> dict[str, Any]:
        """Return name and password if they belong together. Raises ValidationError, also for who tries too often."""
        if self.errors:  # without a name or a password nothing is tried
            return self.cleaned_data
        somebody = Actor("somebody", **traces_of(self.request))  # type: ignore[arg-type]  # a view gives one
        try:
            tried = begin_try(self.cleaned_data["username"], actor=somebody)
        except TooManySignIns as refusal:
            self.refusal = refusal
            raise ValidationError(str(refusal), code=refusal.code) from refusal
        try:
            cleaned = super().clean()
        except ValidationError:
            end_badly(tried, actor=somebody)
            raise
        end_well(tried)
        return cleaned


class SignIn(LoginView):
    """The sign-in page. Afterwards the person is where they wanted to be."""

    template_name = "sign_in/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        """Say what is wrong; who tries too often is told for how long."""
        answer = super().form_invalid(form)
        if isinstance(form, SignInForm) and form.refusal is not None:
            answer.status_code = TOO_MANY
            answer["Retry-After"] = str(form.refusal.seconds)
        return answer

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """Open the session and write it down: both or neither."""
        with transaction.atomic():
            answer = super().form_valid(form)
            user = form.get_user()
            record_sign_in(user, actor=person(user, **traces_of(self.request)))
        return answer


class SignOut(LogoutView):
    """Ends the session; only a form can ask for it."""

    def post(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        """Write down who leaves, if somebody does, and end the session."""
        with transaction.atomic():
            if isinstance(request.user, User):
                record_sign_out(request.user, actor=person(request.user, **traces_of(request)))
            return super().post(request, *args, **kwargs)

"""Signing in and out: Django's own, in our words."""

from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, LogoutView
from django.db import transaction
from django.forms import CharField, PasswordInput
from django.http import HttpRequest, HttpResponse

from deployments.actors import person
from deployments.models import User
from deployments.services.sessions import record_sign_in, record_sign_out
from deployments.views.base import traces_of


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


class SignIn(LoginView):
    """The sign-in page. Afterwards the person is where they wanted to be."""

    template_name = "sign_in/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

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

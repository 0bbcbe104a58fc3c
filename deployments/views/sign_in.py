"""Signing in and out: Django's own, in our words."""

from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, LogoutView
from django.forms import CharField, PasswordInput


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


class SignOut(LogoutView):
    """Ends the session; only a form can ask for it."""

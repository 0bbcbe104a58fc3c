"""How often somebody tried to sign in lately."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class SignInTries(models.Model):
    """The tries of one window. `key` is a keyed hash of what is counted: it tells neither name nor address."""

    key = models.CharField(max_length=64, primary_key=True)
    began_at = models.DateTimeField(db_default=Now())
    count = models.PositiveIntegerField()

    class Meta:
        constraints = [models.CheckConstraint(name="signintries_count_positive", condition=Q(count__gte=1))]

    def __str__(self) -> str:
        return f"{self.count} tries since {self.began_at}"

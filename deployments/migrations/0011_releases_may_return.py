"""A release with content that was there before is a release: a revert in the source is the newest state of it."""

from django.db import migrations


class Migration(migrations.Migration):
    """Two syncs of one application never run at once, so nothing else has to keep them apart."""

    dependencies = [("deployments", "0010_sign_in_tries")]

    operations = [migrations.RemoveConstraint(model_name="release", name="release_content_once")]

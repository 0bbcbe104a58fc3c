"""An observation keeps the schema itself, with sizes and traffic: what a statement does depends on it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Readings of before have none. A column without a value changes no row, so the trigger has nothing to refuse."""

    dependencies = [("deployments", "0011_releases_may_return")]

    operations = [migrations.AddField(model_name="observation", name="model", field=models.JSONField(null=True))]

from services.catalogue import Resource, one
from services.sample.labels.models import Label
from services.sample.labels.policy import policy
from services.sample.labels.schemas import LabelRead

labels = Resource(
    "label", model=Label, read=LabelRead, prefix="lbl", policy=policy,
    relations=[one("workspace", reverse="labels")],
    filters=["id", "workspace_id", "name", "color", "created_at"], sorts=["name", "created_at"],
)  # fmt: skip

from services.catalogue import Seam

published_documents = Seam(
    "rest", "GET /documents/{name}", "Trusted GraphQL documents that the operator publishes while the gateway runs."
)

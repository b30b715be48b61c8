from services.catalogue import HandWritten

published_documents = HandWritten(
    "rest", "GET /documents/{name}", "Trusted GraphQL documents that the operator publishes while the gateway runs."
)

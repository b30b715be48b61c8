"""The findings of the proof as text, as an HTML page and as the authorization matrix."""

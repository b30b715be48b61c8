"""What the proof found, as text, as a page and as the authorization matrix."""

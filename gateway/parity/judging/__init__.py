"""The proof: outcomes compared, differences judged."""

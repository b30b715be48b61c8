"""Jobs to test with: they leave a row for each try, and take as long, and fail as often, as they are told to."""

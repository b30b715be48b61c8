"""What a request lives in: its deadline, its observation, and the bounds on what one caller may have going on."""

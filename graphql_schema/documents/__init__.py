"""Documents as clients send them: parsed, screened, priced, and looked up."""

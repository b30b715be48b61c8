"""The process: composition root and everything around the two faces. Nobody imports it."""

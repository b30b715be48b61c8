"""The commands of `gateway`: a module and a function each."""

"""Local stand-ins for the companies' servers, for tests and for trying things by hand."""

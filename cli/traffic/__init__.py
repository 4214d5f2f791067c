"""Orders that the commands send: what, to which entrance, and what both stores have of it afterwards."""

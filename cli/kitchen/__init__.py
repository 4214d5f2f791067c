"""Orders in the kitchen, as an operator sees and moves them."""

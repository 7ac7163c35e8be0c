"""How good a model is: color photographs made grey, restored by a real run, compared."""

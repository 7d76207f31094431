"""How loops are compiled, vectors of lanes and functions of them."""

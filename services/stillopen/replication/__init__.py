"""How journals go up and master data comes down: one code for both hops, one for each half."""

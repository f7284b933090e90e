"""HeadquartersService: master data, parameters, and the sales that came home."""

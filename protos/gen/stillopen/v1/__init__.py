"""The contract, generated from protos/stillopen/v1."""

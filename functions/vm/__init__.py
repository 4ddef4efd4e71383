"""The composition function for VM claims."""

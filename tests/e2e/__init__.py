"""The suite on a real control plane, in a world that is simulated: see README.md here."""

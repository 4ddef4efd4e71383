"""The simulated world: clouds, operators, nodes. Each answers what docs and sources say that the real one answers."""

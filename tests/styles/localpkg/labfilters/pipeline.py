"""One filter after another."""


class Pipeline:
    """Calls its steps in order."""

    def __init__(self, steps):
        self.steps = list(steps)

    def __call__(self, pixels):
        for step in self.steps:
            pixels = step(pixels)
        return pixels

    def __repr__(self):
        return " > ".join(step.__name__ for step in self.steps)

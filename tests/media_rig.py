"""What a segment writer gives out, in memory."""


class Segments:
    """Takes segments; ``all`` has them."""

    def __init__(self):
        self.all = []

    def begin_segment(self):
        self.all.append(b"")

    def write(self, data):
        self.all[-1] += data

    @property
    def whole(self):
        return b"".join(self.all)

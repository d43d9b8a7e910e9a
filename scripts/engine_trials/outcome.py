"""What a trial may come to besides its result."""


class TrialFailed(Exception):
    """A trial cannot go on; the text, whose first line goes into the table, says why."""

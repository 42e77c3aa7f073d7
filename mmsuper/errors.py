"""The two ways in which a command ends other than well.

Both are caught by :func:`mmsuper.cli.main`, which prints the message as one line on
standard error; ``--debug`` shows the traceback as well. Library code raises them with a
sentence that says what is wrong, where, and what to do.
"""


class UserError(Exception):
    """Bad usage or bad input: exit code 2."""

    exit_code = 2


class CheckFailed(Exception):
    """The command ran and what it checks does not hold: exit code 1."""

    exit_code = 1

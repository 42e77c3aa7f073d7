"""The two ways in which a command ends other than well.

Both are caught by :func:`mmsuper.cli.main`, which prints the message as one line on
standard error; ``--debug`` shows the traceback as well. Library code raises them with a
sentence that says what is wrong, where, and what to do.
"""


class _Sentence(Exception):
    """An error whose text is one sentence, also when another process hands it on.

    PyTorch re-raises the error of a data loading process with that process's traceback as
    the message; the sentence is what follows the error's name in its last line.
    """

    def __str__(self) -> str:
        name = f"{type(self).__module__}.{type(self).__qualname__}: "
        return super().__str__().rpartition(name)[2].rstrip()


class UserError(_Sentence):
    """Bad usage or bad input: exit code 2."""

    exit_code = 2


class CheckFailed(_Sentence):
    """The command ran and what it checks does not hold: exit code 1."""

    exit_code = 1

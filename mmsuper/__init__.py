"""mmsuper: eight research papers as projects of one OpenMMLab codebase."""

__version__ = "0.1.0"

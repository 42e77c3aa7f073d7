import sys
from pathlib import Path

# tiny_training, which configs of these tests import.
sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

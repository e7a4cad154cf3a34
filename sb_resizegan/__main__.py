"""``python -m sb_resizegan`` is the command ``sb-resizegan``, also under ``torchrun -m``."""

import sys

from sb_resizegan.commands.main import main

if __name__ == "__main__":
    sys.exit(main())

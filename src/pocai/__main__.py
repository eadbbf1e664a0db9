"""``python -m pocai``: the command line; ``torchrun -m pocai train …`` trains in several processes."""

from pocai.cli import main

if __name__ == "__main__":
    main()

"""`python -m hive` is `hive-bench`."""

from hive.main import main

if __name__ == "__main__":
    main()

"""Scripts that write what the package ships: the tables of `hive/data` and the dataset `mini`."""

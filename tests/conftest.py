pytest_plugins = ["shuniu.kit.testing.fixtures"]

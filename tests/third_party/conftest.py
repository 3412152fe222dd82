def pytest_configure(config):
    config.addinivalue_line("markers", "slow_install: installs a package with pip into a fresh environment")

"""Fixtures: each test starts its own gateway in a folder of its own and proves that it left nothing."""

import pytest

from gateway import Gateway


def pytest_configure(config):
    config.addinivalue_line("markers", "san: also run with the sanitizer build")
    config.addinivalue_line("markers", "valgrind: also run under valgrind (which knows no pidfd)")


@pytest.fixture
def start(tmp_path):
    """A function that starts gateways; all of them are stopped and checked at the end."""
    started = []

    def start_one(*arguments, home="home", **settings):
        gateway = Gateway(tmp_path / home, **settings)
        started.append(gateway)
        return gateway.start(*arguments)

    yield start_one
    for gateway in started:
        gateway.stop(expect=None)
        gateway.check_clean()


@pytest.fixture
def gateway(start):
    """A gateway with two workers."""
    return start()


@pytest.fixture(scope="module")
def session_gateway(tmp_path_factory):
    """One gateway for the tests of a module that do not change it."""
    gateway = Gateway(tmp_path_factory.mktemp("shared") / "home").start()
    yield gateway
    gateway.stop()
    gateway.check_clean()

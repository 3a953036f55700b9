"""The JavaScript client library in Chromium: the steps of test_clients.py. `make check-browser` installs
Chromium, a large one, and runs these; without it they are left out."""

import os

import pytest

from browser import CHROMIUM, Browser, Page, Pages
from fakegateway import FakeGateway
from peers import CLIENTS, LIBRARIES, play
from test_clients import FAKE, REAL, play_real

pytestmark = pytest.mark.skipif(not CHROMIUM and os.environ.get("LURKBOT_TEST_BROWSER") != "1",
                                reason="there is no chromium: make check-browser")

FILES = {"/": CLIENTS / "page.html", "/scenarios.mjs": CLIENTS / "scenarios.mjs",
         "/lurkbot-gateway.mjs": LIBRARIES["javascript"] / "lurkbot-gateway.mjs"}


@pytest.fixture(scope="module")
def pages():
    with Pages(FILES) as pages:
        yield pages


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.close()


def play_page(browser, pages, url, scenario, asks=None):
    browser.open(pages.origin + "/")
    return play(Page(browser, url, scenario), asks or {})


@pytest.mark.parametrize("scenario", REAL)
def test_with_the_gateway(start, browser, pages, scenario):
    transcript = play_real(start, scenario, lambda *a: play_page(browser, pages, *a),
                           allowed_origins=[pages.origin])
    assert transcript == REAL[scenario]


@pytest.mark.parametrize("scenario", FAKE)
def test_with_a_gateway_that_does_as_it_is_told(browser, pages, scenario):
    with FakeGateway() as fake:
        assert play_page(browser, pages, fake.url, scenario) == FAKE[scenario]


def test_a_page_of_an_origin_that_is_not_allowed_is_turned_away(start, browser, pages):
    gateway = start()
    browser.open(pages.origin + "/")
    with pytest.raises(AssertionError, match="cannot be reached"):
        play(Page(browser, gateway.url, "talk"), {})
    assert gateway.metrics()['lurkbot_http_responses_total{status="4xx"}'] == 1

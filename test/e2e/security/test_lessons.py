"""The table of lessons is whole, and what it names is there, and run."""

import pathlib
import re

import pytest

from lessons import LESSONS

TESTS = pathlib.Path(__file__).parents[2]


def test_no_lesson_is_left_out():
    assert sorted(LESSONS) == list(range(1, 25))
    assert all(lesson.tests for lesson in LESSONS.values())


@pytest.mark.parametrize("number", LESSONS)
def test_the_tests_of_a_lesson_are_there(number):
    for name in LESSONS[number].tests:
        file, _, function = name.partition("::")
        text = (TESTS / file).read_text()
        if file.endswith(".py"):
            assert re.search(rf"^def {function}\(", text, re.M), name
        else:
            # Defined, and among those that main runs.
            assert re.search(rf"^{function}\(void \*\*state\)", text, re.M), name
            assert re.search(rf"^\t\t\w+\({function}\b", text, re.M), name

from tests.support.properties import without_stopwatch

without_stopwatch()

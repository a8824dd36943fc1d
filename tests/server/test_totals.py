from byoc_kit.core.stage import MAX_KINDS
from byoc_kit.server.sessions import Totals


def test_kinds_of_failure_over_all_streams_are_bounded():
    totals = Totals()
    for number in range(3 * MAX_KINDS):
        totals.add({"failures": [{"error": f"Error{number}", "count": 2}]})
    totals.add({"failures": [{"error": "Error0", "count": 1}, {"error": "others", "count": 1}]})
    assert len(totals.failures) == MAX_KINDS + 1
    assert totals.failures["Error0"] == 3
    assert totals.failures["others"] == 2 * 2 * MAX_KINDS + 1

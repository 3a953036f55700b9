"""What has happened to other gateways, servers and libraries, and which test here holds that it does not
happen to this one.

Each lesson has a number, what it is about, and its tests: functions of this folder, as FILE::FUNCTION
from test/ on, and of the unit tests, as FILE::TEST. test_lessons proves that they are there. Where a
part of a lesson cannot happen here, `never` says why.
"""

from dataclasses import dataclass, field

ATTACKS, LIMITS, TOKENS, FOREIGN = (
    f"e2e/security/test_{name}.py" for name in ("attacks", "limits", "tokens", "foreign"))
SANDBOX = "e2e/test_sandbox.py"


@dataclass(frozen=True)
class Lesson:
    about: str
    tests: list = field(default_factory=list)
    never: str = ""


LESSONS = {
    1: Lesson("a web page opens ws://127.0.0.1 (CVE-2026-25253)", [
        f"{ATTACKS}::test_pages_of_others", f"{ATTACKS}::test_two_origins",
        f"{LIMITS}::test_a_page_that_rebinds_its_name",
        f"{FOREIGN}::test_without_authentication_only_this_machine_is_served"]),
    2: Lesson("scopes that the client declares are kept (GHSA-rqpp-rjj8-7wv8)", [
        f"{TOKENS}::test_scopes_are_not_taken_from_the_frame",
        "unit/test_gateway_admission.c::methods_need_their_scope"]),
    3: Lesson("a token that was taken away goes on working (GHSA-m8wm-r5vq-qjpg)", [
        f"{TOKENS}::test_token_that_is_taken_away_ends_its_connections",
        f"{TOKENS}::test_connection_ends_with_its_token",
        "unit/test_gateway_admission.c::a_token_that_allows_something_else"]),
    4: Lesson("config.apply without authentication runs programs (CVE-2026-25593)", [
        f"{ATTACKS}::test_no_method_writes_the_configuration",
        f"{SANDBOX}::test_no_call_that_opens_or_starts_anything"]),
    5: Lesson("a decompression bomb before authentication (GHSA-qrvq-68c2-7grw, CVE-2026-1526)", [
        f"{ATTACKS}::test_compression_bomb", f"{ATTACKS}::test_compression_bomb_before_the_hello",
        "unit/test_proto_deflate.c::test_bomb"]),
    6: Lesson("a frame length that overflows (CVE-2026-27889, CVE-2020-27813, CVE-2026-54466)", [
        f"{ATTACKS}::test_frame_lengths", f"{ATTACKS}::test_frame_lengths_before_the_hello",
        "unit/test_proto_wsrecv.c::test_length_encodings"]),
    7: Lesson("buffering without bound before authentication (GHSA-8r68-gvr4-jh7j)", [
        f"{LIMITS}::test_bytes_before_the_hello", f"{LIMITS}::test_connections_that_do_not_say_hello",
        f"{LIMITS}::test_one_time_for_head_and_hello",
        f"{ATTACKS}::test_ten_thousand_that_never_say_hello"]),
    8: Lesson("tiny fragments pin memory (CVE-2026-48779)", [
        f"{ATTACKS}::test_tiny_fragments", f"{ATTACKS}::test_fragments_are_no_more_than_their_bytes",
        f"{LIMITS}::test_a_message_that_was_begun_has_to_end"]),
    9: Lesson("many header fields, and slow parsing of them (CVE-2024-37890, CVE-2021-32640)", [
        f"{LIMITS}::test_heads", f"{LIMITS}::test_a_hundred_lines_are_enough",
        f"{ATTACKS}::test_slow_heads", "unit/test_proto_http.c::test_due_once_for_each_line"]),
    10: Lesson("uninitialised memory in a Close frame (ws 8.20.1)", [
        f"{ATTACKS}::test_a_close_frame_has_nothing_but_what_is_said",
        "unit/test_proto_frame.c::test_close_frames"]),
    11: Lesson("control frames without bound (jaspervdj/websockets#150)", [
        f"{ATTACKS}::test_control_frames", f"{LIMITS}::test_pings_are_answered_at_a_bounded_rate"]),
    12: Lesson("an origin compared by its end (CVE-2022-42975)", [
        f"{ATTACKS}::test_pages_of_others", "unit/test_proto_origin.c::test_refused"]),
    13: Lesson("keys that collide, and nesting that overflows the stack (CVE-2013-6401)", [
        f"{ATTACKS}::test_keys_that_collide", f"{ATTACKS}::test_wide_json",
        f"{ATTACKS}::test_json_that_is_too_much",
        f"{ATTACKS}::test_no_worker_hands_json_to_a_library",
        "unit/test_conf_jsontree.c::each_program_has_a_seed_of_its_own"]),
    14: Lesson("a number of any length (CVE-2025-11230, CVE-2023-26819)", [
        f"{ATTACKS}::test_json_that_is_too_much"]),
    15: Lesson("work in a signal handler (CVE-2024-6387)", [
        f"{ATTACKS}::test_no_signal_has_a_handler", f"{ATTACKS}::test_a_storm_of_signals"]),
    16: Lesson("a reload that fails falls back to defaults, an empty list allows all "
               "(CVE-2017-7652, CVE-2018-12550)", [
        f"{ATTACKS}::test_a_reload_that_cannot_be_read_changes_nothing",
        f"{ATTACKS}::test_a_reload_without_descriptors_changes_nothing",
        f"{TOKENS}::test_empty_token_file_lets_in_nobody",
        "unit/test_gateway_admission.c::an_empty_table_lets_in_nobody"]),
    17: Lesson("state that others may read (CVE-2017-9868)", [
        f"{ATTACKS}::test_nothing_is_readable_for_others",
        f"{TOKENS}::test_token_file_of_others_is_refused",
        "unit/test_conf_tokens.c::files_that_others_may_read"]),
    18: Lesson("parsers of libevent on bytes of clients (CVE-2016-10195 to 10197)", [
        f"{ATTACKS}::test_no_parser_of_others_sees_a_byte_of_a_client",
        f"{ATTACKS}::test_masks_that_are_missing"]),
    19: Lesson("requests smuggled past a proxy (CVE-2013-2028)", [
        f"{ATTACKS}::test_smuggled_requests", f"{ATTACKS}::test_a_body_is_never_a_request",
        "unit/test_proto_http.c::test_smuggling"]),
    20: Lesson("DEFLATE data that writes out of bounds (CVE-2022-37434, civetweb#1379)", [
        f"{ATTACKS}::test_no_deflate_data", f"{ATTACKS}::test_windows_that_are_none",
        "unit/test_proto_deflate.c::test_bad_data"]),
    21: Lesson("an address of a frame is dialled (CVE-2026-26322)", [
        f"{ATTACKS}::test_no_address_of_a_frame_is_dialled",
        f"{SANDBOX}::test_no_call_that_opens_or_starts_anything"]),
    22: Lesson("the time that a comparison takes tells of the token", [
        "unit/test_gateway_blindness.c::tokens_are_compared_whole_and_with_all",
        "unit/test_gateway_blindness.c::a_password_is_compared_whole"]),
    23: Lesson("text that is no UTF-8 is found at its end, or never", [
        f"{ATTACKS}::test_utf8_fails_at_the_first_bad_byte", f"{ATTACKS}::test_control_frames",
        "unit/test_proto_wsrecv.c::test_text_fails_fast"]),
    24: Lesson("/metrics and the like are open on a public port", [
        f"{FOREIGN}::test_without_authentication_only_this_machine_is_served",
        f"{TOKENS}::test_http", f"{ATTACKS}::test_nothing_is_readable_for_others"],
        never="/health, /live and /ready are for everybody, and tell a status, a version and two "
              "numbers; the operator has a socket of its own."),
}

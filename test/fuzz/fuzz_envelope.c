/*
 * Any bytes as a frame: a verdict with all that an answer needs, and bounds that hold.
 */
#include "fuzz.h"
#include "proto/envelope.h"
#include "proto/names.h"
#include "proto/utf8.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct envelope_fault fault;
	struct envelope envelope;
	int r = envelope_parse(span_make((const char *)data, size), &envelope, &fault);

	must(envelope.id.n <= ENVELOPE_ID_MAX && utf8_is_valid(envelope.id));
	if (r < 0) {
		must(fault.reason != NULL && fault.sentence[0] != '\0');
		must(utf8_is_valid(span_cstr(fault.sentence)));
		must(utf8_is_valid(span_cstr(fault.field)));
		return 0;
	}
	must(envelope.type != ENVELOPE_UNKNOWN);
	must(envelope.id.n > 0 || envelope.type == ENVELOPE_HELLO);
	if (envelope.type == ENVELOPE_REQUEST)
		must(name_is_valid(envelope.method));
	must(envelope.session_key.n <= ENVELOPE_SESSION_KEY_MAX);
	must(utf8_is_valid(envelope.session_key) && utf8_is_valid(envelope.idempotency_key));
	must(envelope.timeout_ms >= 1 && envelope.timeout_ms <= ENVELOPE_TIMEOUT_MS_MAX);
	must(envelope.params.kind == JSON_ABSENT || envelope.params.kind == JSON_OBJECT);
	return 0;
}

/*
 * Any bytes as a hello: refused with a fault, or decoded within its bounds.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "proto/hello.h"
#include "proto/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool condition)
{
	if (!condition)
		abort();
}

static void
check_text(struct span text, size_t min, size_t max)
{
	must(text.n >= min && text.n <= max && utf8_is_valid(text));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct envelope_fault fault;
	struct hello *hello;
	size_t i;

	if (hello_parse(span_make((const char *)data, size), &hello, &fault) < 0) {
		must(fault.reason != NULL && utf8_is_valid(span_cstr(fault.sentence)));
		must(utf8_is_valid(span_cstr(fault.field)));
		return 0;
	}
	must(hello->protocol >= HELLO_PROTOCOL_MIN && hello->protocol <= HELLO_PROTOCOL_MAX);
	check_text(hello->client.id, 1, HELLO_TEXT_MAX);
	check_text(hello->client.version, 1, HELLO_TEXT_MAX);
	check_text(hello->client.platform, 1, HELLO_TEXT_MAX);
	check_text(hello->client.display_name, 0, HELLO_TEXT_MAX);
	check_text(hello->resume_epoch, hello->has_resume ? 1 : 0, HELLO_EPOCH_MAX);
	must(hello->caps_count <= HELLO_CAPS_MAX && hello->filter != NULL);
	for (i = 0; i < hello->caps_count; i++)
		check_text(hello->caps[i], 1, HELLO_TEXT_MAX);
	hello_free(hello);
	return 0;
}

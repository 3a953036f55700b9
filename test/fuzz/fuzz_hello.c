/*
 * Any bytes as a hello, as a subscription, and as the params of a method: refused with a fault that
 * names a field, or decoded within the bounds. A filter that came out of them, written down and
 * read again, is the same filter.
 */
#include <errno.h>

#include "base/jsonw.h"
#include "fuzz.h"
#include "proto/hello.h"
#include "proto/names.h"
#include "proto/params.h"
#include "proto/subscription.h"
#include "proto/utf8.h"

static void
check_text(struct span text, size_t min, size_t max)
{
	must(text.n >= min && text.n <= max && utf8_is_valid(text));
}

static void
check_fault(int r, const struct envelope_fault *fault)
{
	must(r == -EBADMSG);
	must(fault->reason != NULL && fault->sentence[0] != '\0');
	must(utf8_is_valid(span_cstr(fault->sentence)));
	must(utf8_is_valid(span_cstr(fault->field)));
}

/* --- filters ------------------------------------------------------------------------------ */

/* The filter as the params of events.subscribe would say it. */
static void
write_filter(const struct filter *filter, struct buf *out)
{
	struct jsonw writer;

	jsonw_init(&writer, out);
	jsonw_object(&writer);
	filter_write(filter, &writer);
	jsonw_object_end(&writer);
	must(buf_status(out) == 0);
}

static void
check_filter(const struct filter *filter)
{
	static const char *const events[] = { "gateway.connected", "session.message", "a" };
	struct envelope_fault fault;
	struct filter *again;
	struct buf text = { 0 };

	write_filter(filter, &text);
	must(subscription_parse(buf_span(&text), "params", &again, &fault) == 0);
	must(span_is_equal(filter_canon(filter), filter_canon(again)));
	for (size_t i = 0; i < ARRAY_LEN(events); i++) {
		struct span event = span_cstr(events[i]);

		must(filter_takes(filter, event, SPAN("k")) ==
		     filter_takes(again, event, SPAN("k")));
		must(filter_names_admin(filter, event) == filter_names_admin(again, event));
		/* What passes without a key is not asked for by key. */
		must(!filter_takes(filter, event, SPAN("")) ||
		     filter_takes(filter, event, SPAN("other")));
	}
	filter_free(again);
	buf_fini(&text);
}

static void
check_subscription(struct span text)
{
	struct envelope_fault fault;
	struct filter *filter;
	int r = subscription_parse(text, "params", &filter, &fault);

	if (r < 0) {
		check_fault(r, &fault);
		return;
	}
	check_filter(filter);
	filter_free(filter);
}

/* --- params ------------------------------------------------------------------------------- */

static const char *const choices[] = { "app", "web", "cli", NULL };

static const struct param table[] = {
	{ .name = "id", .kind = PARAM_STRING, .min = 1, .max = 16 },
	{ .name = "displayName",
	    .alias = "display_name",
	    .kind = PARAM_STRING,
	    .min = 0,
	    .max = 32 },
	{ .name = "mode", .kind = PARAM_CHOICE, .choices = choices },
	{ .name = "seq", .kind = PARAM_INTEGER, .min = -3, .max = 1000 },
	{ .name = "ok", .kind = PARAM_BOOL },
	{ .name = "caps", .kind = PARAM_STRINGS, .min = 1, .max = 4, .item_max = 8 },
	{ .name = "client", .kind = PARAM_OBJECT },
	{ .name = "any", .kind = PARAM_ANY },
};

static void
check_param(const struct param *row, const struct param_value *value)
{
	switch (row->kind) {
	case PARAM_STRING:
		check_text(value->string, (size_t)row->min, (size_t)row->max);
		break;
	case PARAM_CHOICE:
		must(span_is(value->string, choices[value->integer]));
		break;
	case PARAM_INTEGER:
		must(value->integer >= row->min && value->integer <= row->max);
		break;
	case PARAM_BOOL:
		must(span_is(value->json.text, value->boolean ? "true" : "false"));
		break;
	case PARAM_STRINGS:
		must(value->strings_count >= 1 && value->strings_count <= 4);
		for (size_t i = 0; i < value->strings_count; i++)
			check_text(value->strings[i], 1, (size_t)row->item_max);
		break;
	case PARAM_OBJECT:
		must(value->json.kind == JSON_OBJECT);
		break;
	case PARAM_ANY:
		must(value->json.kind != JSON_NULL && value->json.kind != JSON_ABSENT);
		break;
	}
}

static void
check_params(struct span text)
{
	struct envelope_fault fault;
	struct params params;
	int r = params_read(&params, text, "params", table, ARRAY_LEN(table), &fault);

	if (r < 0) {
		check_fault(r, &fault);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (params.values[i].is_present)
			check_param(&table[i], &params.values[i]);
	params_fini(&params);
}

/* --- hello -------------------------------------------------------------------------------- */

static void
check_hello(struct span text)
{
	struct envelope_fault fault;
	struct hello *hello;
	int r = hello_parse(text, &hello, &fault);

	if (r < 0) {
		check_fault(r, &fault);
		return;
	}
	must(hello->protocol >= HELLO_PROTOCOL_MIN && hello->protocol <= HELLO_PROTOCOL_MAX);
	must(hello->min_protocol <= hello->max_protocol);
	must(hello_mode_name(hello->client.mode) != NULL);
	check_text(hello->client.id, 1, HELLO_TEXT_MAX);
	check_text(hello->client.version, 1, HELLO_TEXT_MAX);
	check_text(hello->client.platform, 1, HELLO_TEXT_MAX);
	check_text(hello->client.display_name, 0, HELLO_TEXT_MAX);
	check_text(hello->resume_epoch, hello->has_resume ? 1 : 0, HELLO_EPOCH_MAX);
	must(hello->caps_count <= HELLO_CAPS_MAX && hello->filter != NULL);
	for (size_t i = 0; i < hello->caps_count; i++)
		check_text(hello->caps[i], 1, HELLO_TEXT_MAX);
	check_filter(hello->filter);
	hello_free(hello);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_make((const char *)data, size);

	check_hello(text);
	check_subscription(text);
	check_params(text);
	must(!name_is_valid(text) || pattern_is_valid(text));
	must(!name_is_valid(text) || pattern_matches(text, text));
	return 0;
}

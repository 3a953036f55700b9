/*
 * Who registers is a provider from then on; what it offers is read from the directory like everybody's.
 */
#include "gateway/method_providers.h"

#include <errno.h>

#include "base/clock.h"
#include "base/jsonw.h"
#include "gateway/connection.h"
#include "gateway/context.h"
#include "gateway/jobs.h"
#include "gateway/routes.h"
#include "proto/names.h"
#include "proto/params.h"

enum {
	REGISTER_METHODS,
	REGISTER_CHANNELS,
	REGISTER_CONCURRENCY,
	REGISTER_DESCRIPTION,
	REGISTER_PARAMS
};
enum { CONCURRENCY_DEFAULT = 16 };

static const struct param register_table[REGISTER_PARAMS] = {
	[REGISTER_METHODS] = { .name = "methods",
	    .kind = PARAM_STRINGS,
	    .required = true,
	    .min = 0,
	    .max = PROVIDER_METHODS_MAX,
	    .item_max = PROVIDER_NAME_BYTES },
	[REGISTER_CHANNELS] = { .name = "channels",
	    .kind = PARAM_STRINGS,
	    .min = 0,
	    .max = PROVIDER_CHANNELS_MAX,
	    .item_max = PROVIDER_CHANNEL_BYTES },
	[REGISTER_CONCURRENCY] = { .name = "concurrency",
	    .kind = PARAM_INTEGER,
	    .min = 1,
	    .max = PROVIDER_CONCURRENCY_MAX },
	[REGISTER_DESCRIPTION] = { .name = "description",
	    .kind = PARAM_STRING,
	    .min = 0,
	    .max = PROVIDER_DESCRIPTION_BYTES - 1 },
};

/* Writes each name once; false, and the fault, when one is none. */
static bool
take_names(const struct param_value *value, bool (*is_builtin)(struct span name),
    struct span *names, size_t *ret_count, struct envelope_fault *fault)
{
	const char *field = is_builtin != NULL ? "params.methods" : "params.channels";
	size_t count = 0;

	for (size_t i = 0; i < value->strings_count; i++) {
		struct span name = value->strings[i];
		size_t k = 0;

		if (!name_is_valid(name)) {
			envelope_fault_set(fault, "invalid-field", field,
			    "%s must be words of letters, digits, _ and - with dots between them",
			    field);
			return false;
		}
		if (is_builtin != NULL && is_builtin(name)) {
			envelope_fault_set(fault, "builtin-method", field,
			    "%.*s is a method of the gateway's own; give yours another name",
			    SPAN_ARGS(name));
			return false;
		}
		while (k < count && !span_is_equal(names[k], name))
			k++;
		if (k == count)
			names[count++] = name;
	}
	*ret_count = count;
	return true;
}

static void
answer_registered(const struct answer *to, const struct provider_offer *offer)
{
	struct buf *text = &to->connection->gateway->text;
	struct jsonw w;

	buf_reset(text);
	jsonw_init(&w, text);
	jsonw_object(&w);
	jsonw_key(&w, "methods");
	jsonw_array(&w);
	for (size_t i = 0; i < offer->methods_count; i++)
		jsonw_str(&w, offer->methods[i]);
	jsonw_array_end(&w);
	jsonw_object_end(&w);
	if (buf_status(text) != 0)
		answer_no_memory(to);
	else
		answer_result(to, buf_span(text));
}

static void
answer_failed(const struct answer *to, int r)
{
	if (r == -ENOMEM)
		answer_no_memory(to);
	else if (r == -ENOSPC)
		answer_fail(to, ERROR_UNAVAILABLE, "too-many-providers", NULL,
		    "There are as many providers, methods or channels as there can be; try again "
		    "when others have gone");
	else
		answer_fail(to, ERROR_UNAVAILABLE, "bus-busy", NULL,
		    "The directory of providers did not answer in time; register again");
}

static void
register_it(
    const struct answer *to, const struct param_value *v, bool (*is_builtin)(struct span name))
{
	struct span methods[PROVIDER_METHODS_MAX], channels[PROVIDER_CHANNELS_MAX];
	struct envelope_fault fault;
	struct provider_offer offer = {
		.concurrency = v[REGISTER_CONCURRENCY].is_present
				   ? (uint32_t)v[REGISTER_CONCURRENCY].integer
				   : CONCURRENCY_DEFAULT,
		.now_real_ms = clock_real_ms(),
		.methods = methods,
		.channels = channels,
		.description = v[REGISTER_DESCRIPTION].string,
	};
	int r;

	if (!take_names(&v[REGISTER_METHODS], is_builtin, methods, &offer.methods_count, &fault) ||
	    !take_names(&v[REGISTER_CHANNELS], NULL, channels, &offer.channels_count, &fault)) {
		answer_fault(to, &fault);
		return;
	}
	r = jobs_register(to->connection, &offer);
	if (r == 0)
		answer_registered(to, &offer);
	else
		answer_failed(to, r);
}

void
method_provider_register(
    const struct answer *to, const struct envelope *frame, bool (*is_builtin)(struct span name))
{
	struct envelope_fault fault;
	struct params params;
	int r;

	/* An HTTP request has nowhere to be sent calls, and its connection would not withdraw the offer. */
	if (!to->connection->framed) {
		answer_fail(to, ERROR_INVALID_REQUEST, "unsupported", "method",
		    "An HTTP request cannot be sent calls; register on a WebSocket");
		return;
	}
	r = params_read(
	    &params, frame->params.text, "params", register_table, REGISTER_PARAMS, &fault);
	if (r == 0) {
		register_it(to, params.values, is_builtin);
		params_fini(&params);
	} else if (r == -EBADMSG) {
		answer_fault(to, &fault);
	} else {
		answer_no_memory(to);
	}
}

void
method_channels_list(const struct answer *to, const struct envelope *frame)
{
	const struct gateway *g = to->connection->gateway;
	struct buf *text = &to->connection->gateway->text;
	struct jsonw w;

	(void)frame;
	buf_reset(text);
	jsonw_init(&w, text);
	jsonw_object(&w);
	jsonw_key(&w, "channels");
	routes_write_channels(g->routes, &w);
	jsonw_object_end(&w);
	if (buf_status(text) != 0)
		answer_no_memory(to);
	else
		answer_result(to, buf_span(text));
}

/*
 * A list is read once, element by element: the grammar of RFC 6455 and what RFC 7692 makes of the elements
 * are judged together, since a value means the same with quotation marks and without.
 */
#include "proto/extensions.h"

#include <stddef.h>

#include "base/macros.h"
#include "proto/http.h"

enum parameter {
	SERVER_NO_CONTEXT_TAKEOVER = 1,
	CLIENT_NO_CONTEXT_TAKEOVER = 2,
	SERVER_MAX_WINDOW_BITS = 4,
	CLIENT_MAX_WINDOW_BITS = 8,
	UNKNOWN = 16,
};

/* An offer as far as it was read. */
struct offer {
	unsigned seen; /* of enum parameter */
	bool is_bad;
	bool is_deflate;
};

static const struct {
	const char *name;
	enum parameter parameter;
} parameters[] = {
	{ "server_no_context_takeover", SERVER_NO_CONTEXT_TAKEOVER },
	{ "client_no_context_takeover", CLIENT_NO_CONTEXT_TAKEOVER },
	{ "server_max_window_bits", SERVER_MAX_WINDOW_BITS },
	{ "client_max_window_bits", CLIENT_MAX_WINDOW_BITS },
};

static void
skip_space(struct span *text)
{
	while (text->n > 0 && (text->p[0] == ' ' || text->p[0] == '\t'))
		*text = span_skip(*text, 1);
}

/* After spaces and tabs takes the byte wanted, if it stands there. */
static bool
take_byte(struct span *text, char wanted)
{
	skip_space(text);
	if (text->n == 0 || text->p[0] != wanted)
		return false;
	*text = span_skip(*text, 1);
	return true;
}

/* After spaces and tabs takes a token, if one stands there. */
static bool
take_token(struct span *text, struct span *ret)
{
	size_t n = 0;

	skip_space(text);
	while (n < text->n && http_is_token(span_make(text->p + n, 1)))
		n++;
	*ret = span_make(text->p, n);
	*text = span_skip(*text, n);
	return n > 0;
}

/* Takes a value: a token, or one in quotation marks (RFC 6455 section 9.1). */
static bool
take_value(struct span *text, struct span *ret)
{
	size_t n = 0;

	if (!take_byte(text, '"'))
		return take_token(text, ret);
	while (n < text->n && text->p[n] != '"')
		n++;
	*ret = span_make(text->p, n);
	if (n == text->n || !http_is_token(*ret))
		return false;
	*text = span_skip(*text, n + 1);
	return true;
}

static enum parameter
parameter_of(struct span name)
{
	for (size_t i = 0; i < ARRAY_LEN(parameters); i++)
		if (span_is(name, parameters[i].name))
			return parameters[i].parameter;
	return UNKNOWN;
}

/* 8 to 15, in decimal and without leading zeros. */
static bool
is_window_bits(struct span value)
{
	if (value.n == 1)
		return value.p[0] == '8' || value.p[0] == '9';
	return value.n == 2 && value.p[0] == '1' && value.p[1] >= '0' && value.p[1] <= '5';
}

/* Whether the parameter may have this value; n == 0: it has none. The server's window is always of 15 bits. */
static bool
is_acceptable(enum parameter parameter, struct span value)
{
	switch (parameter) {
	case SERVER_NO_CONTEXT_TAKEOVER:
	case CLIENT_NO_CONTEXT_TAKEOVER:
		return value.n == 0;
	case SERVER_MAX_WINDOW_BITS:
		return span_is(value, "15");
	case CLIENT_MAX_WINDOW_BITS:
		return value.n == 0 || is_window_bits(value);
	case UNKNOWN:
		break;
	}
	return false;
}

static void
note_parameter(struct offer *offer, struct span name, struct span value)
{
	enum parameter parameter = parameter_of(name);

	if ((offer->seen & parameter) != 0 || !is_acceptable(parameter, value))
		offer->is_bad = true;
	offer->seen |= parameter;
}

/* Takes NAME *( ";" NAME [ "=" VALUE ] ). */
static bool
take_offer(struct span *list, struct offer *ret)
{
	struct span name;

	if (!take_token(list, &name))
		return false;
	*ret = (struct offer){ .is_deflate = span_is(name, "permessage-deflate") };
	while (take_byte(list, ';')) {
		struct span value = SPAN("");

		if (!take_token(list, &name) || (take_byte(list, '=') && !take_value(list, &value)))
			return false;
		note_parameter(ret, name, value);
	}
	return true;
}

/*
 * Elements are separated by commas; there is at least one, and empty ones are passed over.
 */
bool
extensions_read(struct span list, enum extensions_deflate *deflate)
{
	enum extensions_deflate found = *deflate;
	bool has_any = false;

	do {
		struct offer offer;

		skip_space(&list);
		if (list.n == 0 || list.p[0] == ',')
			continue;
		if (!take_offer(&list, &offer))
			return false;
		has_any = true;
		if (found == EXTENSIONS_NONE && offer.is_deflate && !offer.is_bad)
			found = (offer.seen & SERVER_MAX_WINDOW_BITS) != 0 ? EXTENSIONS_DEFLATE_15
									   : EXTENSIONS_DEFLATE;
	} while (take_byte(&list, ','));
	if (!has_any || list.n > 0)
		return false;
	*deflate = found;
	return true;
}

const char *
extensions_answer(enum extensions_deflate deflate)
{
	switch (deflate) {
	case EXTENSIONS_NONE:
		break;
	case EXTENSIONS_DEFLATE:
		return "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
	case EXTENSIONS_DEFLATE_15:
		return "permessage-deflate; server_no_context_takeover; "
		       "client_no_context_takeover; "
		       "server_max_window_bits=15";
	}
	return NULL;
}

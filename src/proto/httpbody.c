/*
 * One state for each place in the grammar.  Data is copied in one go; all else is judged byte by byte.
 */
#include "proto/httpbody.h"

#include "base/parse.h"
#include "proto/http.h"

enum state {
	LENGTH,	       /* content of known length */
	SIZE,	       /* digits of a chunk's size */
	SIZE_SPACE,    /* white space behind them, which only an extension may follow */
	EXTENSION,     /* from ';' to CR */
	SIZE_LF,       /* of the size's line */
	DATA,	       /* of a chunk */
	DATA_CR,       /* behind it */
	DATA_LF,       /* behind it */
	TRAILER_START, /* a field line, or the empty line */
	TRAILER_NAME,
	TRAILER_VALUE,
	TRAILER_LF,
	LAST_LF, /* of the empty line */
	DONE,
};

enum { DIGITS_MAX = 16 };

void
httpbody_init(struct httpbody *body, bool chunked, uint64_t content_length, uint64_t limit_bytes)
{
	*body = (struct httpbody){ .limit = limit_bytes };
	if (chunked)
		body->state = SIZE;
	else
		body->state = content_length > 0 ? LENGTH : DONE;
	body->left = content_length;
}

static enum httpbody_verdict
bad(struct httpbody *body, const char *what)
{
	body->what = what;
	return HTTPBODY_BAD;
}

static enum httpbody_verdict
enter(struct httpbody *body, enum state state)
{
	body->state = state;
	return HTTPBODY_MORE;
}

static int
hex_of(char byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	byte |= 0x20;
	return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

static bool
is_text(char byte)
{
	return byte == '\t' || (byte >= ' ' && byte != 0x7f);
}

/* Counts what is thrown away. */
static enum httpbody_verdict
pass(struct httpbody *body, enum state state)
{
	if (++body->overhead > HTTPBODY_OVERHEAD_MAX)
		return bad(body, "Chunk extensions and trailer fields have more than 4096 bytes.");
	return enter(body, state);
}

static enum httpbody_verdict
on_size(struct httpbody *body, char byte)
{
	int digit = hex_of(byte);

	if (digit >= 0) {
		if (body->digits++ == DIGITS_MAX)
			return bad(body, "The size of a chunk has more than 16 digits.");
		body->left = body->left << 4 | (unsigned)digit;
		return HTTPBODY_MORE;
	}
	if (body->digits == 0)
		return bad(body, "A chunk must begin with its size in hexadecimal digits.");
	if (byte == '\r')
		return enter(body, SIZE_LF);
	if (byte == ';')
		return pass(body, EXTENSION);
	if (byte == ' ' || byte == '\t')
		return pass(body, SIZE_SPACE);
	return bad(body, "Behind the size of a chunk must stand CR LF, or an extension.");
}

static enum httpbody_verdict
on_extension(struct httpbody *body, char byte)
{
	if (body->state == SIZE_SPACE) {
		if (byte == ';' || byte == ' ' || byte == '\t')
			return pass(body, byte == ';' ? EXTENSION : SIZE_SPACE);
		return bad(body, "Behind the size of a chunk must stand CR LF, or an extension.");
	}
	if (byte == '\r')
		return enter(body, SIZE_LF);
	if (!is_text(byte))
		return bad(body, "A chunk extension must be ASCII text and end in CR LF.");
	return pass(body, EXTENSION);
}

/* The line that tells a chunk's size has ended. */
static enum httpbody_verdict
on_size_end(struct httpbody *body, char byte)
{
	if (byte != '\n')
		return bad(body, "A CR must be followed by LF.");
	if (body->left > body->limit)
		return HTTPBODY_TOO_LARGE;
	body->limit -= body->left;
	return enter(body, body->left > 0 ? DATA : TRAILER_START);
}

static enum httpbody_verdict
on_data_end(struct httpbody *body, char byte)
{
	if (byte != (body->state == DATA_CR ? '\r' : '\n'))
		return bad(
		    body, "The data of a chunk must be as long as it says, and end in CR LF.");
	if (body->state == DATA_CR)
		return enter(body, DATA_LF);
	body->digits = 0;
	return enter(body, SIZE);
}

static enum httpbody_verdict
on_trailer(struct httpbody *body, char byte)
{
	switch (body->state) {
	case TRAILER_START:
		if (byte == '\r')
			return enter(body, LAST_LF);
		break;
	case TRAILER_NAME:
		if (byte == ':')
			return pass(body, TRAILER_VALUE);
		break;
	case TRAILER_VALUE:
		if (byte == '\r')
			return enter(body, TRAILER_LF);
		if (!is_text(byte) && (uint8_t)byte < 0x80)
			return bad(body, "A control character stands in a trailer field.");
		return pass(body, TRAILER_VALUE);
	default:
		if (byte != '\n')
			return bad(body, "A CR must be followed by LF.");
		return enter(body, body->state == LAST_LF ? DONE : TRAILER_START);
	}
	if (!http_is_token(span_make(&byte, 1)))
		return bad(body, "A trailer field must be NAME: VALUE.");
	return pass(body, TRAILER_NAME);
}

static enum httpbody_verdict
on_byte(struct httpbody *body, char byte)
{
	switch ((enum state)body->state) {
	case SIZE:
		return on_size(body, byte);
	case SIZE_SPACE:
	case EXTENSION:
		return on_extension(body, byte);
	case SIZE_LF:
		return on_size_end(body, byte);
	case DATA_CR:
	case DATA_LF:
		return on_data_end(body, byte);
	case TRAILER_START:
	case TRAILER_NAME:
	case TRAILER_VALUE:
	case TRAILER_LF:
	case LAST_LF:
		return on_trailer(body, byte);
	case LENGTH:
	case DATA:
	case DONE:
		break;
	}
	return HTTPBODY_MORE;
}

/* Appends what there is of the content that has to come; false without memory. */
static bool
take_content(struct httpbody *body, const char *data, size_t len, struct buf *content, size_t *used)
{
	size_t n = body->left < len ? (size_t)body->left : len;

	buf_append(content, data, n);
	body->left -= n;
	*used += n;
	if (body->left == 0)
		body->state = body->state == LENGTH ? DONE : DATA_CR;
	return buf_status(content) == 0;
}

enum httpbody_verdict
httpbody_take(
    struct httpbody *body, const char *data, size_t len, struct buf *content, size_t *ret_used)
{
	enum httpbody_verdict verdict = HTTPBODY_MORE;
	size_t used = 0;

	*ret_used = 0;
	if (body->state == LENGTH && body->left > body->limit)
		return HTTPBODY_TOO_LARGE;
	while (used < len && body->state != DONE && verdict == HTTPBODY_MORE) {
		if (body->state == LENGTH || body->state == DATA) {
			if (body->state == LENGTH)
				body->limit -= min_size((size_t)body->left, len - used);
			if (!take_content(body, data + used, len - used, content, &used))
				verdict = HTTPBODY_NOMEM;
		} else {
			verdict = on_byte(body, data[used++]);
		}
	}
	*ret_used = used;
	return verdict == HTTPBODY_MORE && body->state == DONE ? HTTPBODY_DONE : verdict;
}

/*
 * The head of a request. It is read from left to right, and each element is judged as soon as it
 * is whole, so that the first fault in the bytes is the one that is told, however the bytes were
 * cut.
 *
 * Each reader below returns HTTP_HEAD for "this element is whole and good, the cursor stands
 * after it", HTTP_PARTIAL for "the bytes end inside it" and HTTP_BAD with the fault.
 */
#include "proto/http.h"

#include <errno.h>
#include <string.h>

#include "base/parse.h"
#include "proto/uri.h"

/* What a byte may be part of. */
enum {
	IN_TOKEN = 1,  /* tchar (RFC 9110 section 5.6.2) */
	IN_TARGET = 2, /* visible ASCII; what it means is judged by uri_target_parse */
	IN_VALUE = 4,  /* field-vchar, obs-text, space and tab (RFC 9110 section 5.5) */
};

#define IN_VISIBLE (IN_TARGET | IN_VALUE)
#define IN_ALL	   (IN_TOKEN | IN_VISIBLE)

static const uint8_t classes[256] = {
	['\t'] = IN_VALUE,
	[' '] = IN_VALUE,
	['!'] = IN_ALL,
	['"'] = IN_VISIBLE,
	['#' ... '\''] = IN_ALL,
	['(' ... ')'] = IN_VISIBLE,
	['*' ... '+'] = IN_ALL,
	[','] = IN_VISIBLE,
	['-' ... '.'] = IN_ALL,
	['/'] = IN_VISIBLE,
	['0' ... '9'] = IN_ALL,
	[':' ... '@'] = IN_VISIBLE,
	['A' ... 'Z'] = IN_ALL,
	['[' ... ']'] = IN_VISIBLE,
	['^' ... 'z'] = IN_ALL,
	['{'] = IN_VISIBLE,
	['|'] = IN_ALL,
	['}'] = IN_VISIBLE,
	['~'] = IN_ALL,
	[0x80 ... 0xff] = IN_VALUE,
};

struct cursor {
	const char *data;
	size_t at, len;
	struct http_fault fault;
};

static enum http_verdict
bad(struct cursor *c, int status, const char *text)
{
	c->fault = (struct http_fault){ status, text, "" };
	return HTTP_BAD;
}

/* Takes all bytes of that class. */
static struct span
take_class(struct cursor *c, uint8_t class)
{
	size_t from = c->at;

	while (c->at < c->len && (classes[(uint8_t)c->data[c->at]] & class) != 0)
		c->at++;
	return span_make(c->data + from, c->at - from);
}

/* Reads the CRLF that ends a line; what stands there instead is what is wrong with the line. */
static enum http_verdict
read_line_end(struct cursor *c)
{
	if (c->at == c->len)
		return HTTP_PARTIAL;
	if (c->data[c->at] == '\n')
		return bad(c, 400, "Lines must end in CR LF, not in LF alone.");
	if (c->data[c->at] != '\r')
		return bad(c, 400, "A control character stands in a field value.");
	if (c->at + 1 == c->len)
		return HTTP_PARTIAL;
	if (c->data[c->at + 1] != '\n')
		return bad(c, 400, "A CR must be followed by LF.");
	c->at += 2;
	return HTTP_HEAD;
}

/* "HTTP/1.1" CRLF, byte by byte: any 1.x will do, any other digit gets its own answer. */
static enum http_verdict
read_version(struct cursor *c, unsigned *ret_minor)
{
	static const char expected[] = "HTTP/1.x";
	char byte = '\0';

	for (size_t i = 0; expected[i] != '\0'; i++, c->at++) {
		bool is_digit;

		if (c->at == c->len)
			return HTTP_PARTIAL;
		byte = c->data[c->at];
		is_digit = byte >= '0' && byte <= '9';
		if (expected[i] == '1' && is_digit && byte != '1')
			return bad(c, 505, "Only HTTP/1.1 and HTTP/1.0 are spoken here.");
		if (expected[i] == 'x' ? !is_digit : byte != expected[i])
			return bad(c, 400, "The request line must end in HTTP/1.1.");
	}
	*ret_minor = byte == '0' ? 0 : 1;
	if (c->at < c->len && c->data[c->at] != '\r' && c->data[c->at] != '\n')
		return bad(c, 400, "The request line must end in HTTP/1.1.");
	return read_line_end(c);
}

/* Splits the target in the form that the method asks for (RFC 9112 section 3.2). */
static enum http_verdict
split_target(struct cursor *c, struct http_head *head)
{
	struct uri_target target;

	if (span_is(head->method, "CONNECT"))
		return bad(c, 501, "This server is not a proxy: CONNECT is not implemented.");
	if (span_is(head->target, "*") && span_is(head->method, "OPTIONS")) {
		head->path = head->target;
		return HTTP_HEAD;
	}
	if (uri_target_parse(head->target, &target) != 0)
		return bad(c, 400, "The request target is not a valid path or http URI.");
	head->host = target.authority;
	head->path = target.path;
	head->query = target.query;
	return HTTP_HEAD;
}

/* method SP target SP version CRLF (RFC 9112 section 3) */
static enum http_verdict
read_request_line(struct cursor *c, struct http_head *head)
{
	static const char *const malformed =
	    "The request line must be METHOD SP TARGET SP HTTP/1.1.";
	enum http_verdict verdict;

	head->method = take_class(c, IN_TOKEN);
	if (head->method.n > HTTP_METHOD_MAX)
		return bad(c, 501, "The method is not implemented.");
	if (c->at == c->len)
		return HTTP_PARTIAL;
	if (head->method.n == 0 || c->data[c->at] != ' ')
		return bad(c, 400, malformed);
	c->at++;
	head->target = take_class(c, IN_TARGET);
	if (head->target.n > HTTP_TARGET_MAX)
		return bad(c, 414, "The request target is longer than 4096 bytes.");
	if (c->at == c->len)
		return HTTP_PARTIAL;
	if (head->target.n == 0 || c->data[c->at] != ' ')
		return bad(c, 400, malformed);
	c->at++;
	verdict = read_version(c, &head->minor);
	return verdict == HTTP_HEAD ? split_target(c, head) : verdict;
}

static bool
is_space(char byte)
{
	return byte == ' ' || byte == '\t';
}

/* name ":" OWS value OWS CRLF (RFC 9112 section 5), the cursor standing at its first byte. */
static enum http_verdict
read_header(struct cursor *c, struct http_head *head)
{
	struct http_header header;
	enum http_verdict verdict;

	if (is_space(c->data[c->at]))
		return bad(c, 400, "Folded field lines are not accepted.");
	if (head->header_count == HTTP_HEADERS_MAX)
		return bad(c, 431, "The request has more than 100 field lines.");
	header.name = take_class(c, IN_TOKEN);
	if (c->at == c->len)
		return HTTP_PARTIAL;
	if (is_space(c->data[c->at]))
		return bad(c, 400, "No white space may stand in or after a field name.");
	if (c->data[c->at] == '\n')
		return read_line_end(c);
	if (header.name.n == 0 || c->data[c->at] != ':')
		return bad(c, 400, "A field line must be NAME: VALUE.");
	c->at++;
	header.value = span_trim(take_class(c, IN_VALUE));
	verdict = read_line_end(c);
	if (verdict == HTTP_HEAD)
		head->headers[head->header_count++] = header;
	return verdict;
}

/* RFC 9112 section 3.2: one Host, valid; HTTP/1.0 may do without. A host in the target wins. */
static enum http_verdict
check_host(struct cursor *c, struct http_head *head)
{
	const struct http_header *header = http_head_find(head, "Host");
	struct uri_authority authority;

	if (header == NULL && head->minor > 0)
		return bad(c, 400, "The Host field is missing.");
	if (http_head_count(head, "Host") > 1)
		return bad(c, 400, "There is more than one Host field.");
	if (header == NULL)
		return HTTP_HEAD;
	if (uri_authority_parse(header->value, &authority) != 0)
		return bad(c, 400, "The Host field must be HOST or HOST:PORT.");
	if (head->host.n == 0)
		head->host = header->value;
	return HTTP_HEAD;
}

/*
 * RFC 9112 section 6.1. "chunked" alone is what this server can read. A list that ends in chunked
 * has another coding in it, which is not implemented; with anything else the length of the body
 * is unknowable (section 6.3).
 */
static enum http_verdict
check_transfer_encoding(struct cursor *c, struct http_head *head)
{
	struct span value = http_head_find(head, "Transfer-Encoding")->value, last = { 0 };
	unsigned chunked_count = 0;

	if (head->minor == 0)
		return bad(c, 400, "HTTP/1.0 has no Transfer-Encoding.");
	if (http_head_count(head, "Content-Length") > 0)
		return bad(c, 400, "Content-Length and Transfer-Encoding exclude each other.");
	if (http_head_count(head, "Transfer-Encoding") > 1)
		return bad(c, 400, "There is more than one Transfer-Encoding field.");
	if (span_is_equal_nocase(value, SPAN("chunked"))) {
		head->chunked = head->has_body = true;
		return HTTP_HEAD;
	}
	while (http_list_next(&value, &last))
		chunked_count += span_is_equal_nocase(last, SPAN("chunked"));
	if (chunked_count == 1 && span_is_equal_nocase(last, SPAN("chunked")))
		return bad(c, 501, "The only transfer coding implemented is chunked.");
	return bad(c, 400, "Transfer-Encoding must be chunked.");
}

/* How long the body is (RFC 9112 section 6). */
static enum http_verdict
check_framing(struct cursor *c, struct http_head *head)
{
	const struct http_header *length = http_head_find(head, "Content-Length");

	if (http_head_count(head, "Transfer-Encoding") > 0)
		return check_transfer_encoding(c, head);
	if (length == NULL)
		return HTTP_HEAD;
	if (http_head_count(head, "Content-Length") > 1)
		return bad(c, 400, "There is more than one Content-Length field.");
	switch (parse_u64(length->value, INT64_MAX, &head->content_length)) {
	case 0:
		head->has_body = head->content_length > 0;
		return HTTP_HEAD;
	case -ERANGE:
		return bad(c, 413, "The body is larger than this server could ever take.");
	default:
		return bad(c, 400, "Content-Length must be decimal digits.");
	}
}

/* All field lines up to the empty one, and what they say together. */
static enum http_verdict
read_headers(struct cursor *c, struct http_head *head)
{
	enum http_verdict verdict;
	bool is_last = false;

	while (!is_last) {
		if (c->at == c->len)
			return HTTP_PARTIAL;
		is_last = c->data[c->at] == '\r';
		verdict = is_last ? read_line_end(c) : read_header(c, head);
		if (verdict != HTTP_HEAD)
			return verdict;
	}
	verdict = check_host(c, head);
	if (verdict == HTTP_HEAD)
		verdict = check_framing(c, head);
	head->keep_alive = head->minor > 0 && !http_head_has_token(head, "Connection", "close");
	return verdict;
}

enum http_verdict
http_head_parse(const char *data, size_t len, struct http_head *ret, size_t *ret_used,
    struct http_fault *ret_fault)
{
	struct cursor c = { .data = data, .len = len < HTTP_HEAD_MAX ? len : HTTP_HEAD_MAX };
	struct http_head head = { 0 };
	enum http_verdict verdict = HTTP_HEAD;

	if (c.len > 0 && (data[0] == '\r' || data[0] == '\n'))
		verdict = read_line_end(&c);
	if (verdict == HTTP_HEAD)
		verdict = read_request_line(&c, &head);
	if (verdict == HTTP_HEAD)
		verdict = read_headers(&c, &head);
	if (verdict == HTTP_PARTIAL && len >= HTTP_HEAD_MAX)
		verdict = bad(&c, 431, "The request head is larger than 16384 bytes.");
	if (verdict == HTTP_HEAD) {
		*ret = head;
		*ret_used = c.at;
	} else if (verdict == HTTP_BAD) {
		*ret_fault = c.fault;
	}
	return verdict;
}

bool
http_head_is_due(const char *data, size_t len, size_t *scanned)
{
	size_t from = *scanned;
	bool is_due = len >= HTTP_HEAD_MAX;

	for (size_t i = from; i < len; i++) {
		uint8_t byte = (uint8_t)data[i];

		if (byte < ' ' ? byte != '\r' && byte != '\t' : byte == 0x7f)
			is_due = true;
	}
	*scanned = len;
	return is_due;
}

const struct http_header *
http_head_find(const struct http_head *head, const char *name)
{
	for (unsigned i = 0; i < head->header_count; i++)
		if (span_is_equal_nocase(head->headers[i].name, span_cstr(name)))
			return &head->headers[i];
	return NULL;
}

unsigned
http_head_count(const struct http_head *head, const char *name)
{
	unsigned count = 0;

	for (unsigned i = 0; i < head->header_count; i++)
		count += span_is_equal_nocase(head->headers[i].name, span_cstr(name));
	return count;
}

bool
http_list_next(struct span *list, struct span *ret_element)
{
	while (list->n > 0) {
		const char *comma = memchr(list->p, ',', list->n);
		size_t n = comma != NULL ? (size_t)(comma - list->p) : list->n;
		struct span element = span_trim(span_make(list->p, n));

		*list = span_skip(*list, comma != NULL ? n + 1 : n);
		if (element.n > 0) {
			*ret_element = element;
			return true;
		}
	}
	return false;
}

bool
http_header_has_token(struct span value, const char *token)
{
	struct span element;

	while (http_list_next(&value, &element))
		if (span_is_equal_nocase(element, span_cstr(token)))
			return true;
	return false;
}

bool
http_head_has_token(const struct http_head *head, const char *name, const char *token)
{
	for (unsigned i = 0; i < head->header_count; i++)
		if (span_is_equal_nocase(head->headers[i].name, span_cstr(name)) &&
		    http_header_has_token(head->headers[i].value, token))
			return true;
	return false;
}

bool
http_is_token(struct span text)
{
	for (size_t i = 0; i < text.n; i++)
		if ((classes[(uint8_t)text.p[i]] & IN_TOKEN) == 0)
			return false;
	return text.n > 0;
}

/*
 * The head of an HTTP/1 request, read strictly (RFC 9112).
 *
 * Strict means that whatever two implementations might read differently is refused here: a bare
 * LF, a folded line, white space before a colon, two Content-Length fields (equal ones too),
 * Content-Length beside Transfer-Encoding, any transfer coding but exactly "chunked", a control
 * byte in a value. Request smuggling lives in those differences (RFC 9112 section 11.2).
 *
 * No I/O and no copies: the spans of a parsed head point into the bytes that were given and live
 * as long as they do.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

enum {
	HTTP_HEADERS_MAX = 100, /* field lines; more are refused with 431 */
	HTTP_HEAD_MAX = 16384, /* bytes, the final empty line included; more are refused with 431 */
	HTTP_TARGET_MAX = 4096, /* bytes of the request target; more are refused with 414 */
	HTTP_METHOD_MAX = 32,	/* bytes of the method; more are refused with 501 */
};

/* One field line (RFC 9112 section 5), without the white space around the value. */
struct http_header {
	struct span name, value;
};

/*
 * Why a request is refused; all texts are static. status is 400, 405, 413, 414, 426, 431, 501 or
 * 505. header_lines holds field lines that the answer must carry, complete with their CRLF; it is
 * "" when there are none, never NULL.
 */
struct http_fault {
	int status;
	const char *text; /* one sentence: what was wrong, or what would be right */
	const char *header_lines;
};

/* A request head that was accepted. */
struct http_head {
	struct span method; /* as sent; methods are case-sensitive */
	struct span target; /* as sent */
	struct span path;   /* not decoded, begins with '/'; "*" for OPTIONS * */
	struct span query;  /* without '?'; empty when there is none */
	struct span host; /* host[:port], of an absolute target, else of Host; empty only in 1.0 */
	unsigned minor;	  /* 0 or 1; a higher HTTP/1.x counts as 1 (RFC 9110 section 2.5) */
	bool keep_alive;  /* another request may follow on the connection; never in HTTP/1.0 */
	bool has_body;	  /* chunked, or a content_length above 0 */
	bool chunked;
	uint64_t content_length; /* 0 when chunked or absent; at most INT64_MAX */
	unsigned header_count;
	struct http_header headers[HTTP_HEADERS_MAX]; /* only the first header_count are set */
};

enum http_verdict {
	HTTP_HEAD,    /* a whole head was read */
	HTTP_PARTIAL, /* nothing wrong so far; more bytes are needed */
	HTTP_BAD,     /* answer with the fault, then close */
};

/*
 * Reads one request head from the first len bytes of data. One empty line before it is skipped
 * (RFC 9112 section 2.2).
 *
 * HTTP_HEAD: *ret is filled and *ret_used is the number of bytes that the head took; a body, or
 * the next request, begins there. HTTP_PARTIAL: call again with the same bytes and more after
 * them. Never returned for HTTP_HEAD_MAX bytes or more. HTTP_BAD: *ret_fault says why. Framing
 * can no longer be trusted: the connection must close after the answer. Out parameters that do
 * not belong to the verdict are left untouched. The verdict and the fault do not depend on how
 * the bytes were cut.
 */
enum http_verdict http_head_parse(const char *data, size_t len, struct http_head *ret,
    size_t *ret_used, struct http_fault *ret_fault);

/*
 * Whether it is worth calling http_head_parse now that data has grown to len bytes: since the last
 * question a line ended, a byte came that no head may hold, or the bound was reached. *scanned is 0
 * for a new head and belongs to this function; it remembers how far was looked. A head of at most
 * 100 lines that trickles in byte by byte so costs linear time, not quadratic. Asking is optional.
 */
bool http_head_is_due(const char *data, size_t len, size_t *scanned);

/* The first header of that name (case-insensitive), or NULL. */
const struct http_header *http_head_find(const struct http_head *head, const char *name);

/* How many headers have that name (case-insensitive). */
unsigned http_head_count(const struct http_head *head, const char *name);

/* Whether the comma-separated list value has this element (case-insensitive). */
bool http_header_has_token(struct span value, const char *token);

/* The same for all headers of that name together, which form one list (RFC 9110 section 5.3). */
bool http_head_has_token(const struct http_head *head, const char *name, const char *token);

/*
 * Takes the next element, without the white space around it, off a comma-separated list; empty
 * elements are passed over as RFC 9110 section 5.6.1.2 demands. False when there is none left.
 */
bool http_list_next(struct span *list, struct span *ret_element);

/* Whether text is a token: one or more tchar (RFC 9110 section 5.6.2). */
bool http_is_token(struct span text);
